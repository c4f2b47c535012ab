//! Repeated, stratified k folds that keep groups together, as columns of a table to keep.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use mga_core::random::Generator;
use mga_core::whole_file;

use crate::error::{Error, Result};
use crate::spelling::alike_note;
use crate::summed_up::{some_of, summed_up};
use crate::text_table::TextTable;

/// Settings of a split into folds.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldSettings {
    /// Folds, at least 2.
    pub folds: usize,
    /// Independent repetitions, at least 1.
    pub repeats: usize,
    /// Seed of all of them.
    pub seed: u64,
    /// The column whose values are never on two sides.
    pub group: Option<String>,
    /// The column whose values are spread evenly.
    pub stratify: Option<String>,
}

/// Folds, and what to know about them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Folds {
    /// `[repeat][row]`: the fold, from 0.
    pub of: Vec<Vec<usize>>,
    /// Notes for the log on what could not be avoided.
    pub notes: Vec<String>,
}

/// Assigns rows to folds by their strata and groups. Without strata there is one stratum; without groups every row is
/// its own group.
///
/// Groups are placed one after the other, those that are least balanced in their strata first and in a drawn order among
/// equals, each where the strata then are spread most evenly over the folds (the rule of scikit-learn's
/// `StratifiedGroupKFold`); ties go to the smallest fold.
///
/// Errors: fewer groups than folds; a stratum that lies in one group alone, which could never be both trained on and tested.
pub fn k_folds(
    rows: usize,
    strata: Option<&[String]>,
    groups: Option<&[String]>,
    settings: &FoldSettings,
) -> Result<Folds> {
    let (folds, repeats) = (settings.folds, settings.repeats);
    if folds < 2 || repeats < 1 {
        return Err(Error::settings(format!(
            "{folds} folds repeated {repeats} times: expected at least 2 folds and 1 repeat"
        )));
    }
    let stratum_names = distinct(strata, rows, |_| "all rows".to_owned());
    let group_names = distinct(groups, rows, |row| format!("{row:020}"));
    if group_names.names.len() < folds {
        return Err(Error::settings(format!(
            "{folds} folds need as many {}, there are {}",
            if groups.is_some() { "groups" } else { "rows" },
            group_names.names.len()
        )));
    }
    // Rows of each stratum in each group, `[group]: (stratum, rows)` for those that occur.
    let mut counts = vec![BTreeMap::<usize, usize>::new(); group_names.names.len()];
    for row in 0..rows {
        *counts[group_names.of[row]].entry(stratum_names.of[row]).or_default() += 1;
    }
    let mut groups_of = vec![0usize; stratum_names.names.len()];
    let mut totals = vec![0usize; stratum_names.names.len()];
    for (&stratum, &count) in counts.iter().flatten() {
        groups_of[stratum] += 1;
        totals[stratum] += count;
    }
    let with = |wanted: &dyn Fn(usize) -> bool| -> Vec<String> {
        let found = stratum_names.names.iter().zip(&groups_of).filter(|&(_, &count)| wanted(count));
        found.map(|(name, count)| format!("`{name}` ({count})")).collect()
    };
    let single = with(&|count| count < 2);
    if !single.is_empty() {
        return Err(Error::settings(format!(
            "too small to be both trained on and tested, with one {} only: {}",
            if groups.is_some() { "group" } else { "row" },
            some_of(&single)
        )));
    }
    let few = with(&|count| count < folds);
    let mut notes = if few.is_empty() {
        vec![]
    } else {
        vec![format!("in fewer groups than the {folds} folds, so missing from some test folds: {}", some_of(&few))]
    };
    let mut of = Vec::with_capacity(repeats);
    for repeat in 0..repeats {
        let mut order: Vec<usize> = (0..counts.len()).collect();
        Generator::new(settings.seed, "folds", &[repeat as u64]).shuffle(&mut order);
        let mut fold_of = place(&order, &counts, &totals, folds);
        for (stratum, fold) in repair(&mut fold_of, &counts, &totals, folds) {
            let name = stratum_names.names.get(stratum).map_or("", String::as_str);
            notes.push(format!(
                "repeat {repeat}: fold {fold} tests every image of `{name}`, so its training part lacks that class: its \
                 groups carry other classes that would then lack theirs"
            ));
        }
        of.push(group_names.of.iter().map(|&group| fold_of[group]).collect());
    }
    Ok(Folds { of, notes })
}

/// Moves groups so that no fold holds all of a stratum, whose training part would lack it: each time the group whose move
/// disturbs the spread least, among those that leave every other stratum in two folds. What is already so stays as it is.
/// Gives the strata for which there is no such group, each with its fold.
fn repair(
    fold_of: &mut [usize],
    counts: &[BTreeMap<usize, usize>],
    totals: &[usize],
    folds: usize,
) -> Vec<(usize, usize)> {
    let mut placed = vec![vec![0usize; folds]; totals.len()];
    for (group, &fold) in fold_of.iter().enumerate() {
        counts[group].iter().for_each(|(&stratum, &count)| placed[stratum][fold] += count);
    }
    let whole = |placed: &[Vec<usize>], stratum: usize| placed[stratum].iter().position(|&c| c == totals[stratum]);
    let mut left = Vec::new();
    for stratum in 0..totals.len() {
        let Some(from) = whole(&placed, stratum) else { continue };
        let mut best: Option<(f64, usize, usize)> = None;
        let groups = (0..counts.len()).filter(|&g| fold_of[g] == from && counts[g].contains_key(&stratum));
        for (group, to) in groups.flat_map(|group| (0..folds).filter(|to| *to != from).map(move |to| (group, to))) {
            let mut after = placed.clone();
            let mut cost = 0.0;
            for (&other, &count) in &counts[group] {
                after[other][from] -= count;
                after[other][to] += count;
                cost += deviation(&after[other], usize::MAX, 0) / totals[other] as f64;
            }
            let fits = counts[group].keys().all(|&other| whole(&after, other).is_none());
            if fits && best.is_none_or(|(least, ..)| cost < least - 1e-9) {
                best = Some((cost, group, to));
            }
        }
        match best {
            Some((_, group, to)) => {
                for (&other, &count) in &counts[group] {
                    placed[other][from] -= count;
                    placed[other][to] += count;
                }
                fold_of[group] = to;
            }
            None => left.push((stratum, from)),
        }
    }
    left
}

/// The fold of every group.
fn place(order: &[usize], counts: &[BTreeMap<usize, usize>], totals: &[usize], folds: usize) -> Vec<usize> {
    let mut order = order.to_vec();
    let imbalance = |group: &usize| {
        let mean = counts[*group].values().sum::<usize>() as f64 / totals.len() as f64;
        let squares: f64 = counts[*group].values().map(|&c| (c as f64 - mean).powi(2)).sum();
        squares + (totals.len() - counts[*group].len()) as f64 * mean * mean
    };
    // Stable: equals keep the drawn order.
    order.sort_by(|a, b| imbalance(b).total_cmp(&imbalance(a)));
    let mut placed = vec![vec![0usize; folds]; totals.len()];
    let mut sizes = vec![0usize; folds];
    let mut fold_of = vec![0; counts.len()];
    for group in order {
        // Only the strata of this group change their spread, so only they are compared.
        let cost = |fold: usize| -> f64 {
            let change = |(&stratum, &count): (&usize, &usize)| {
                let before = deviation(&placed[stratum], usize::MAX, 0);
                (deviation(&placed[stratum], fold, count) - before) / totals[stratum] as f64
            };
            counts[group].iter().map(change).sum()
        };
        let mut best = (f64::INFINITY, usize::MAX, 0);
        for (fold, &size) in sizes.iter().enumerate() {
            let candidate = (cost(fold), size, fold);
            let tie = (candidate.0 - best.0).abs() < 1e-9;
            if (!tie && candidate.0 < best.0) || (tie && candidate.1 < best.1) {
                best = candidate;
            }
        }
        fold_of[group] = best.2;
        for (&stratum, &count) in &counts[group] {
            placed[stratum][best.2] += count;
            sizes[best.2] += count;
        }
    }
    fold_of
}

/// Standard deviation over the folds, with `count` more in `fold`.
fn deviation(placed: &[usize], fold: usize, count: usize) -> f64 {
    let value = |(i, &c): (usize, &usize)| (c + if i == fold { count } else { 0 }) as f64;
    let mean = placed.iter().enumerate().map(value).sum::<f64>() / placed.len() as f64;
    (placed.iter().enumerate().map(value).map(|v| (v - mean).powi(2)).sum::<f64>() / placed.len() as f64).sqrt()
}

/// Names numbered in their order, and the number of every row.
struct Distinct {
    names: Vec<String>,
    of: Vec<usize>,
}

fn distinct(values: Option<&[String]>, rows: usize, default: impl Fn(usize) -> String) -> Distinct {
    let value = |row: usize| values.and_then(|v| v.get(row)).cloned().unwrap_or_else(|| default(row));
    let values: Vec<String> = (0..rows).map(value).collect();
    let mut names = values.clone();
    names.sort_unstable();
    names.dedup();
    let of = values.iter().map(|value| names.partition_point(|name| name < value)).collect();
    Distinct { names, of }
}

/// Folds the rows of the table `input`, and writes it to `output` with one more column for every repetition
/// (`repeat_0`, `repeat_1`, ...): the fold, from 0, in which the row is tested. The other columns are kept, except for
/// blanks at the ends of cells. `delimiter` separates the columns; if it is `None`, it is detected.
///
/// Rows with an empty group are each a group of their own, which the notes count. Errors, all of which name the table: rows
/// that cannot be read, columns that are missing (the message lists those there are), `repeat_` columns already there, and
/// those of [`k_folds`].
pub fn write_folds(input: &Path, output: &Path, delimiter: Option<char>, settings: &FoldSettings) -> Result<Folds> {
    let names: Vec<&str> = [&settings.group, &settings.stratify].into_iter().flatten().map(String::as_str).collect();
    let table = TextTable::read(input, delimiter, &names)?;
    if !table.faults.is_empty() {
        let line = |(line, what): &(u64, String)| {
            ("rows that cannot be read", Error::file(input, format!("line {line} {what}")).to_string())
        };
        return Err(Error::Many(summed_up(table.faults.iter().map(line))));
    }
    if let Some(taken) = table.header.iter().find(|name| name.starts_with("repeat_")) {
        return Err(Error::file(input, format!("column `{taken}` is already there; fold the table it was made from")));
    }
    let mut notes = table.notes.clone();
    let mut column = |name: &Option<String>, option: &str, meant: &str| -> Result<Option<Vec<String>>> {
        let Some(name) = name else { return Ok(None) };
        let at = table.needed(name, option)?;
        let cells = || table.rows.iter().filter_map(|row| row.cell(Some(at)));
        if let Some(broken) = cells().find(|cell| cell.contains(['\n', '\r'])) {
            let begins = broken.lines().next().unwrap_or_default();
            let what =
                format!("column `{name}` has a cell of several lines, which begins `{begins}`: is a quote not closed?");
            return Err(Error::file(input, what));
        }
        let blank = table.rows.len() - cells().count();
        if blank > 0 {
            notes.push(format!("{}: {blank} of {} rows have no `{name}`: {meant}", input.display(), table.rows.len()));
        }
        notes.extend(alike_note(&format!("values of `{name}`"), cells()));
        Ok(Some(table.rows.iter().map(|row| row.cell(Some(at)).unwrap_or_default().to_owned()).collect()))
    };
    let mut groups = column(&settings.group, "--group", "each is a group of its own")?;
    let strata = column(&settings.stratify, "--stratify", "they are spread as one class")?;
    for (row, group) in groups.iter_mut().flatten().enumerate() {
        if group.is_empty() {
            // A control character keeps it apart from every name in the table.
            *group = format!("\u{1}{row}");
        }
    }
    let made = k_folds(table.rows.len(), strata.as_deref(), groups.as_deref(), settings);
    let mut folds = made.map_err(|error| Error::file(input, error.to_string()))?;
    notes.append(&mut folds.notes);
    folds.notes = notes;

    let unwritable = |e: csv::Error| Error::file(output, format!("cannot be written: {e}"));
    let mut writer = csv::WriterBuilder::new().delimiter(table.delimiter).from_writer(Vec::new());
    let repeats = (0..folds.of.len()).map(|repeat| format!("repeat_{repeat}"));
    writer.write_record(table.header.iter().cloned().chain(repeats)).map_err(unwritable)?;
    for (row, fields) in table.rows.iter().enumerate() {
        let numbers = folds.of.iter().map(|repeat| repeat[row].to_string());
        writer.write_record(fields.cells().iter().cloned().chain(numbers)).map_err(unwritable)?;
    }
    let bytes = writer.into_inner().map_err(|e| Error::file(output, format!("cannot be written: {e}")))?;
    whole_file::write(output, |file, _| file.write_all(&bytes)).map_err(Error::io(output))?;
    Ok(folds)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use std::fs;

    use super::*;

    fn settings(folds: usize, repeats: usize) -> FoldSettings {
        FoldSettings { folds, repeats, seed: 3, group: None, stratify: None }
    }

    fn words(of: impl Iterator<Item = usize>) -> Vec<String> {
        of.map(|i| format!("v{i}")).collect()
    }

    #[test]
    fn without_groups_every_fold_has_its_share_of_every_class() {
        // Classes of 5, 10, 15 and 20 rows in five folds: 1, 2, 3 and 4 a fold exactly.
        let labels = words((0..50).map(|i| {
            if i < 5 {
                0
            } else if i < 15 {
                1
            } else if i < 30 {
                2
            } else {
                3
            }
        }));
        let folds = k_folds(50, Some(&labels), None, &settings(5, 3)).expect("folds");
        assert_eq!(folds.notes, Vec::<String>::new());
        for repeat in &folds.of {
            for fold in 0..5 {
                for (class, expected) in [(0, 1), (1, 2), (2, 3), (3, 4)] {
                    let rows = (0..50).filter(|&row| repeat[row] == fold && labels[row] == format!("v{class}"));
                    assert_eq!(rows.count(), expected);
                }
            }
        }
        assert_ne!(folds.of[0], folds.of[1], "repeats differ");
        assert_eq!(folds, k_folds(50, Some(&labels), None, &settings(5, 3)).expect("folds"));
        let other = FoldSettings { seed: 4, ..settings(5, 3) };
        assert_ne!(folds, k_folds(50, Some(&labels), None, &other).expect("folds"));
    }

    #[test]
    fn groups_stay_together_and_classes_stay_balanced() {
        // 4 classes of 15 plants with 1 to 5 images each.
        let mut labels = vec![];
        let mut groups = vec![];
        for plant in 0..60usize {
            for _ in 0..1 + plant / 4 % 5 {
                labels.push(plant % 4);
                groups.push(plant);
            }
        }
        let (labels, groups) = (words(labels.into_iter()), words(groups.into_iter()));
        let rows = labels.len();
        let folds = k_folds(rows, Some(&labels), Some(&groups), &settings(5, 2)).expect("folds");
        for repeat in &folds.of {
            let pairs: BTreeSet<_> = (0..rows).map(|row| (&groups[row], repeat[row])).collect();
            assert_eq!(pairs.len(), 60, "a plant is in two folds");
            for class in 0..4 {
                for fold in 0..5 {
                    let count = (0..rows).filter(|&r| repeat[r] == fold && labels[r] == format!("v{class}")).count();
                    assert!((8..=10).contains(&count), "{count} of 45 in five folds");
                }
            }
        }
    }

    #[test]
    fn what_is_too_small_is_named() {
        let labels = words([0, 0, 0, 1, 1, 1].into_iter());
        let groups = words([0, 1, 2, 3, 3, 3].into_iter());
        let message = k_folds(6, Some(&labels), Some(&groups), &settings(2, 1)).expect_err("one plant").to_string();
        assert!(message.contains("`v1` (1)") && !message.contains("v0"), "{message}");
        let message = k_folds(6, None, Some(&groups), &settings(5, 1)).expect_err("four plants").to_string();
        assert!(message.contains("5 folds need as many groups, there are 4"), "{message}");
        let folds = k_folds(6, Some(&labels), None, &settings(4, 1)).expect("folds");
        assert!(folds.notes[0].contains("`v0` (3), `v1` (3)"), "{:?}", folds.notes);
        assert!(k_folds(6, None, None, &settings(1, 1)).is_err());
        assert!(k_folds(6, None, None, &settings(2, 0)).is_err());
        assert!(k_folds(0, None, None, &settings(2, 1)).is_err());
    }

    #[test]
    fn a_table_keeps_its_columns_and_gains_the_folds() {
        let folder = tempfile::tempdir().expect("a folder");
        let (input, output) = (folder.path().join("in.csv"), folder.path().join("out.csv"));
        let mut text = "file,label,plant,remark\n".to_owned();
        for i in 0..20 {
            let plant = if i < 2 { String::new() } else { format!("p{}", i / 2) };
            text += &format!("{i}.png,{},{plant},\"a, b\"\n", i % 2);
        }
        fs::write(&input, text).expect("written");
        let column = |name: &str| Some(name.to_owned());
        let settings = FoldSettings { group: column("plant"), stratify: column("label"), ..settings(4, 2) };
        let folds = write_folds(&input, &output, None, &settings).expect("folds");
        let mut reader = csv::Reader::from_path(&output).expect("a table");
        let headers = ["file", "label", "plant", "remark", "repeat_0", "repeat_1"];
        assert_eq!(reader.headers().expect("headers"), &csv::StringRecord::from(headers.to_vec()));
        let rows: Vec<_> = reader.records().map(|row| row.expect("a row")).collect();
        assert_eq!(rows.len(), 20);
        for (i, row) in rows.iter().enumerate() {
            assert_eq!((&row[0], &row[3]), (format!("{i}.png").as_str(), "a, b"));
            assert_eq!(row[5], folds.of[1][i].to_string());
        }
        assert!(rows[2..].chunks(2).all(|pair| pair[0][4] == pair[1][4]));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2, "no temporary file is left");

        let again = write_folds(&output, &input, None, &settings).expect_err("already folded").to_string();
        assert!(again.contains("repeat_0"), "{again}");
        let missing = FoldSettings { group: column("plants"), ..settings };
        let message = write_folds(&input, &output, None, &missing).expect_err("no such column").to_string();
        assert!(message.contains("`plants`") && message.contains("file, label, plant, remark"), "{message}");
    }

    #[test]
    fn cells_are_trimmed_so_that_no_plant_leaks() {
        let folder = tempfile::tempdir().expect("a folder");
        let (input, output) = (folder.path().join("in.csv"), folder.path().join("out.csv"));
        let mut text = "\u{feff}file;label;plant\r\n".to_owned();
        for i in 0..40 {
            // Every second image of a plant has a blank behind its plant, and some a no-break space.
            let blank = ["", " ", "", "\u{a0}"][i % 4];
            text += &format!("{i}.png;{};x{}{blank}\r\n", i / 2 % 2, i / 2);
        }
        fs::write(&input, text).expect("written");
        let column = |name: &str| Some(name.to_owned());
        let settings = FoldSettings { group: column("plant"), stratify: column("label"), ..settings(5, 1) };
        let folds = write_folds(&input, &output, None, &settings).expect("folds");
        assert!(folds.of[0].chunks(2).all(|plant| plant[0] == plant[1]), "{:?}", folds.of);
        let written = fs::read_to_string(&output).expect("a table");
        assert!(written.starts_with("file;label;plant;repeat_0\n0.png;0;x0;"), "{written}");
    }

    #[test]
    fn what_is_odd_in_a_table_is_told_and_errors_name_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let (input, output) = (folder.path().join("in.csv"), folder.path().join("out.csv"));
        let column = |name: &str| Some(name.to_owned());
        let settings = FoldSettings { group: column("plant"), stratify: column("label"), ..settings(2, 1) };
        let said = |text: &str| {
            fs::write(&input, text).expect("written");
            write_folds(&input, &output, None, &settings).map(|folds| folds.notes.join("\n")).map_err(|e| e.to_string())
        };
        let notes = said("plant,label\nP1,oak\np1,Oak\n,oak\n,Oak\nP2,\nP3,\n").expect("folds");
        for part in [
            "in.csv: 2 of 6 rows have no `plant`: each is",
            "2 of 6 rows have no `label`",
            "`Oak` and `oak`",
            "`P1` and `p1`",
        ] {
            assert!(notes.contains(part), "{part} in: {notes}");
        }
        for (text, part) in [
            ("plant,label\n1,a\n", "in.csv: 2 folds need as many groups"),
            ("plant,label\n1,a\n2\n3,b,c\n", "in.csv: line 3 has 1 cells"),
            ("plant,label\n1,caf\n\"2\n3\",a\n", "cell of several lines"),
        ] {
            let message = said(text).expect_err("no table to fold");
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_fold_does_not_take_all_of_a_class() {
        // By hand: stratum 0 lies whole in fold 0; group 1 can leave, group 0 would bring all of stratum 2 into fold 1.
        let counts = [
            BTreeMap::from([(0, 1), (2, 2)]),
            BTreeMap::from([(0, 1), (1, 1)]),
            BTreeMap::from([(1, 3)]),
            BTreeMap::from([(2, 2)]),
        ];
        let mut fold_of = vec![0, 0, 0, 1];
        assert_eq!(repair(&mut fold_of, &counts, &[2, 4, 4], 2), []);
        assert_eq!(fold_of, [0, 1, 0, 1]);
        // What is sound stays as it is.
        assert_eq!(repair(&mut fold_of, &counts, &[2, 4, 4], 2), []);
        assert_eq!(fold_of, [0, 1, 0, 1]);
        // Either group of stratum 0 would leave another stratum whole in fold 1.
        let counts = [
            BTreeMap::from([(0, 1), (1, 1)]),
            BTreeMap::from([(0, 1), (2, 1)]),
            BTreeMap::from([(1, 1)]),
            BTreeMap::from([(2, 1)]),
        ];
        let mut fold_of = vec![0, 0, 1, 1];
        assert_eq!(repair(&mut fold_of, &counts, &[2, 2, 2], 2), [(0, 0)]);
        assert_eq!(fold_of, [0, 0, 1, 1]);
    }

    #[test]
    fn every_training_part_has_every_class_or_the_class_is_named() {
        // Plants that carry several classes each, few of them: placed by balance alone, some folds would take a class whole.
        for seed in 0..200 {
            let mut draw = Generator::new(seed, "plants", &[]);
            let rows = 24;
            let groups = words((0..rows).map(|_| draw.below(6)));
            let labels = words((0..rows).map(|_| draw.below(5)));
            let Ok(folds) = k_folds(rows, Some(&labels), Some(&groups), &FoldSettings { seed, ..settings(3, 2) })
            else {
                continue;
            };
            for (repeat, fold) in (0..2).flat_map(|repeat| (0..3).map(move |fold| (repeat, fold))) {
                let of = |trained: bool| -> BTreeSet<&String> {
                    let rows = (0..rows).filter(|&row| (folds.of[repeat][row] != fold) == trained);
                    rows.map(|row| &labels[row]).collect()
                };
                for class in of(false).difference(&of(true)) {
                    let told = format!("repeat {repeat}: fold {fold} tests every image of `{class}`");
                    assert!(folds.notes.iter().any(|note| note.starts_with(&told)), "{told} in {:?}", folds.notes);
                }
            }
        }
    }
}
