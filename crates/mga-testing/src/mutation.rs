//! Damage: what disks, networks and other people do to files.

use mga_core::random::Generator;

/// Numbers that headers are read wrongly by.
const AWKWARD: [u64; 10] = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF];

/// Damaged copies of the seeds, without end.
pub struct Mutations<'a> {
    seeds: &'a [Vec<u8>],
    generator: Generator,
}

impl<'a> Mutations<'a> {
    /// Damages the seeds, of which there is at least one.
    pub fn of(seeds: &'a [Vec<u8>]) -> Self {
        Self { seeds, generator: Generator::new(11, "foreign bytes", &[seeds.len() as u64]) }
    }

    /// Returns the next damaged file: one of the seed files with one to four changes.
    #[expect(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> Vec<u8> {
        let mut bytes = self.seeds[self.generator.below(self.seeds.len())].clone();
        for _ in 0..=self.generator.below(4) {
            self.strike(&mut bytes);
        }
        bytes
    }

    fn strike(&mut self, bytes: &mut Vec<u8>) {
        let draw = &mut self.generator;
        let at = draw.below(bytes.len());
        let length = (1 + draw.below(16)).min(bytes.len() - at);
        match draw.below(8) {
            _ if bytes.is_empty() => bytes.push(draw.bits() as u8),
            0 => bytes[at] ^= 1 << draw.below(8),
            1 => bytes[at] = draw.bits() as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..at + length)),
            4 => {
                let piece = bytes[at..at + length].to_vec();
                let most = 1 << draw.below(12);
                let times = 1 + draw.below(most);
                let piece: Vec<u8> = piece.iter().copied().cycle().take(length * times).collect();
                bytes.splice(at..at, piece);
            }
            5 => {
                let (number, width) = (AWKWARD[draw.below(AWKWARD.len())], 1 << draw.below(4));
                let ordered =
                    if draw.chance(0.5) { number.to_le_bytes() } else { number.rotate_right(8 * width).to_be_bytes() };
                let ordered = ordered.iter().take(width as usize);
                bytes[at..].iter_mut().zip(ordered).for_each(|(byte, new)| *byte = *new);
            }
            6 => bytes[at..at + length].reverse(),
            _ => {
                let other = &self.seeds[draw.below(self.seeds.len())];
                let from = draw.below(other.len());
                bytes.truncate(at);
                bytes.extend(&other[from..]);
            }
        }
    }
}
