//! TensorBoard's event file, beside `metrics.jsonl` and made from it, line by line.
//!
//! The log is the truth. When a run is resumed its log is cut back to the checkpoint, and the event file is made anew from
//! what is left, by rename: no step is there twice. Only the times of the events are taken from the old file.
//!
//! Format: TensorFlow's record file (`tensorflow/core/lib/io/record_writer.h`: length, masked CRC-32C, data, masked CRC-32C)
//! of `Event` messages (`tensorflow/core/util/event.proto`, `framework/summary.proto`), of which a run needs six fields.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use mga_core::whole_file::write_all;
use serde_json::Value;

/// The file's name in a run's folder. TensorBoard knows such files by `tfevents`; one name, so that a resumed run has one.
pub const FILE: &str = "events.out.tfevents.mga";

/// Keys of a line of the log that are no scalars, but say where it belongs.
const PLACES: [&str; 2] = ["step", "epoch"];

/// The event file of a run, open at its end.
#[derive(Debug)]
pub struct EventFile {
    file: File,
    path: PathBuf,
    /// The last optimiser step of the log: evaluations are shown there.
    step: u64,
}

impl EventFile {
    /// Makes the file from the log as it stands, `log` being the text of `metrics.jsonl`, and opens it.
    ///
    /// # Errors
    /// A line of the log is not JSON; the file cannot be written.
    pub fn open(path: &Path, log: &str) -> anyhow::Result<Self> {
        let failed = || format!("{}: cannot be written", path.display());
        // Damaged or gone: then the times are lost, and nothing else.
        let old = std::fs::read(path).unwrap_or_default();
        let mut times = times(&old).into_iter();
        let mut time = || times.next().unwrap_or_else(now);
        let mut step = 0;
        let mut bytes = record(&file_version(time()));
        for (number, line) in log.lines().enumerate() {
            let told = || format!("line {} of the log is not JSON: {line}", number + 1);
            let line = serde_json::from_str(line).with_context(told)?;
            bytes.extend(record(&scalars(time(), &line, &mut step)));
        }
        if bytes != old {
            write_all(path, &bytes).with_context(failed)?;
        }
        let file = OpenOptions::new().append(true).open(path).with_context(failed)?;
        Ok(Self { file, path: path.to_path_buf(), step })
    }

    /// Appends the scalars of a line of the log.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&mut self, line: &Value) -> anyhow::Result<()> {
        let event = record(&scalars(now(), line, &mut self.step));
        self.file.write_all(&event).with_context(|| format!("{}: cannot be written", self.path.display()))
    }
}

/// An event that says what the file is; it comes first.
fn file_version(time: f64) -> Vec<u8> {
    let mut event = wall_time(time);
    bytes_field(&mut event, 3, b"brain.Event:2");
    event
}

/// An event with every number of a line: `train/loss` of a step, `epoch/loss`, `validation/top1`. `step` is moved on to the
/// line's.
fn scalars(time: f64, line: &Value, step: &mut u64) -> Vec<u8> {
    if let Some(at) = line.get("step").and_then(Value::as_u64) {
        *step = at;
    }
    // The mean of an epoch stands at its last step, and would be a second value of it.
    let of_step = if line.get("kind").is_some_and(|kind| kind == "epoch") { "epoch" } else { "train" };
    let group = line.get("split").and_then(Value::as_str).unwrap_or(of_step);
    let mut summary = vec![];
    for (key, value) in line.as_object().into_iter().flatten() {
        let Some(number) = value.as_f64().filter(|_| !PLACES.contains(&key.as_str())) else { continue };
        let mut value = vec![];
        bytes_field(&mut value, 1, format!("{group}/{key}").as_bytes());
        tag(&mut value, 2, 5);
        value.extend((number as f32).to_le_bytes());
        bytes_field(&mut summary, 1, &value);
    }
    let mut event = wall_time(time);
    tag(&mut event, 2, 0);
    varint(&mut event, *step);
    bytes_field(&mut event, 5, &summary);
    event
}

/// The beginning of every event: field 1, a double.
fn wall_time(seconds: f64) -> Vec<u8> {
    let mut event = vec![];
    tag(&mut event, 1, 1);
    event.extend(seconds.to_le_bytes());
    event
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

/// The times of a file's events, as far as it is whole.
fn times(file: &[u8]) -> Vec<f64> {
    let time = |event: &[u8]| Some(f64::from_le_bytes(event.get(1..9)?.try_into().ok()?));
    records(file).map_while(time).collect()
}

/// The records of a file, as far as it is whole.
fn records(mut file: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = checked(file, 8)?;
        let length = usize::try_from(u64::from_le_bytes(length.try_into().ok()?)).ok()?;
        let (data, rest) = checked(rest, length)?;
        file = rest;
        Some(data)
    })
}

/// `length` bytes that agree with the checksum after them, and what follows.
fn checked(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    let (data, rest) = bytes.split_at_checked(length)?;
    let (sum, rest) = rest.split_at_checked(4)?;
    (masked_crc(data).to_le_bytes() == sum).then_some((data, rest))
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let parts = [&length, &masked_crc(&length).to_le_bytes()[..], data, &masked_crc(data).to_le_bytes()];
    parts.concat()
}

/// A checksum that may itself be among data that is summed up: rotated, and a constant added.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// A field's number and the kind of what follows: 0 varint, 1 eight bytes, 2 counted bytes, 5 four bytes.
fn tag(message: &mut Vec<u8>, field: u64, kind: u64) {
    varint(message, field << 3 | kind);
}

fn bytes_field(message: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    tag(message, field, 2);
    varint(message, bytes.len() as u64);
    message.extend(bytes);
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Step, tags and values of an event, read by its fields.
    fn read(event: &[u8]) -> (u64, Vec<(String, f32)>) {
        fn number(bytes: &mut &[u8]) -> u64 {
            let mut value = 0;
            for shift in (0..).step_by(7) {
                let byte = bytes[0];
                *bytes = &bytes[1..];
                value |= u64::from(byte & 0x7f) << shift;
                if byte < 0x80 {
                    break;
                }
            }
            value
        }
        fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
            let mut fields = vec![];
            while !bytes.is_empty() {
                let tag = number(&mut bytes);
                let length = match tag & 7 {
                    0 => {
                        fields.push((tag >> 3, number(&mut bytes).to_le_bytes().to_vec()));
                        continue;
                    }
                    1 => 8,
                    2 => number(&mut bytes) as usize,
                    5 => 4,
                    kind => panic!("kind {kind}"),
                };
                fields.push((tag >> 3, bytes[..length].to_vec()));
                bytes = &bytes[length..];
            }
            fields
        }
        let (mut step, mut values) = (0, vec![]);
        for (field, content) in fields(event) {
            match field {
                2 => step = u64::from_le_bytes(content.try_into().unwrap()),
                5 => {
                    for (_, value) in fields(&content) {
                        let [(1, tag), (2, number)] = &fields(&value)[..] else { panic!("a value has two fields") };
                        let number = f32::from_le_bytes(number.as_slice().try_into().unwrap());
                        values.push((String::from_utf8(tag.clone()).unwrap(), number));
                    }
                }
                _ => (),
            }
        }
        (step, values)
    }

    fn events(path: &Path) -> Vec<(u64, Vec<(String, f32)>)> {
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(records(&bytes).map(|data| data.len() + 16).sum::<usize>(), bytes.len(), "the file is whole");
        records(&bytes).map(read).collect()
    }

    fn named(values: &[(&str, f32)]) -> Vec<(String, f32)> {
        values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    const LOG: &str = r#"{"kind":"step","step":150,"epoch":0,"loss":0.5,"learning_rate":0.25}
{"kind":"eval","split":"validation","epoch":0,"top1":0.75,"mask_iou":null}
"#;

    /// From `masked_crc32c` of TensorBoard 2.21 (`tensorboard/compat/tensorflow_stub/pywrap_tensorflow.py`).
    #[test]
    fn checksums_are_tensorboards() {
        assert_eq!(masked_crc(b""), 0xa282_ead8);
        assert_eq!(masked_crc(b"123456789"), 0xc78a_b0e5);
        assert_eq!(record(b"mga").len(), 8 + 4 + 3 + 4);
    }

    #[test]
    fn every_line_is_an_event_and_evaluations_stand_at_their_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let mut file = EventFile::open(&path, "").unwrap();
        for line in LOG.lines() {
            file.append(&serde_json::from_str(line).unwrap()).unwrap();
        }
        let expected = [
            (0, vec![]),
            (150, named(&[("train/loss", 0.5), ("train/learning_rate", 0.25)])),
            (150, named(&[("validation/top1", 0.75)])),
        ];
        assert_eq!(events(&path), expected);
        let epoch = serde_json::json!({ "kind": "epoch", "step": 150, "epoch": 0, "images": 20, "loss": 0.75 });
        let seen = read(&scalars(0.0, &epoch, &mut 0));
        assert_eq!(seen, (150, named(&[("epoch/images", 20.0), ("epoch/loss", 0.75)])));
        let first = std::fs::read(&path).unwrap();
        assert!(first.windows(13).any(|bytes| bytes == b"brain.Event:2"));
        // Opened again with the same log it stays as it is, times and all.
        drop(EventFile::open(&path, LOG).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), first);
    }

    #[test]
    fn a_resumed_run_has_no_step_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        drop(EventFile::open(&path, LOG).unwrap());
        let whole = std::fs::read(&path).unwrap();
        // The log was cut back to its first line: the evaluation is done again.
        let (kept, again) = LOG.split_at(LOG.find('\n').unwrap() + 1);
        let mut file = EventFile::open(&path, kept).unwrap();
        assert_eq!(events(&path).len(), 2);
        assert_eq!(times(&std::fs::read(&path).unwrap()), times(&whole)[..2]);
        file.append(&serde_json::from_str(again).unwrap()).unwrap();
        let end = events(&path);
        assert_eq!(end.len(), 3);
        assert_eq!(end[2], (150, named(&[("validation/top1", 0.75)])));
        // A torn file, a changed byte, no file: made again from the log.
        let mut changed = whole.clone();
        changed[60] ^= 1;
        for damaged in [&whole[..whole.len() - 3], &changed, b"", b"\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"] {
            std::fs::write(&path, damaged).unwrap();
            drop(EventFile::open(&path, LOG).unwrap());
            assert_eq!(events(&path), end);
        }
        assert!(EventFile::open(&path, "{\"kind\":").is_err());
    }
}
