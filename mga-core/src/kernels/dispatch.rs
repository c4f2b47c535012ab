//! One loop, compiled for several instruction sets; which one runs is told by the processor.
//!
//! The program is built for the oldest processor of its architecture, so that it runs everywhere, and a loop would be
//! vectorised four `f32` wide on x86-64. [`vectorised`] compiles it three times. No version may contract `a * b + c`
//! into one rounding, and none may reorder a sum (the compiler does neither on its own, and kernels spell out their
//! lanes), so every version gives the same bits, on every processor. (Matrix products, in `micro`, do differ between
//! processors.) On other architectures, such as aarch64, the one version is vectorised with what is always there.

/// Instruction sets a loop is compiled for, from the narrowest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// What every processor of the architecture has: SSE2, NEON.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

#[cfg_attr(not(any(test, target_arch = "x86_64")), expect(dead_code, reason = "there is one level to choose from"))]
impl Level {
    const ALL: &[Self] = &[
        Self::Portable,
        #[cfg(target_arch = "x86_64")]
        Self::Avx2,
        #[cfg(target_arch = "x86_64")]
        Self::Avx512,
    ];

    /// Whether this processor, and its operating system, can run it. The standard library asks once and remembers.
    fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2") && is_x86_feature_detected!("fma")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
        }
    }

    /// The widest that may be used.
    pub(crate) fn best() -> Self {
        Self::ALL
            .iter()
            .rev()
            .copied()
            .find(|level| level.is_allowed() && level.is_available())
            .unwrap_or(Self::Portable)
    }

    #[cfg(not(test))]
    fn is_allowed(self) -> bool {
        true
    }

    #[cfg(test)]
    fn is_allowed(self) -> bool {
        self as usize <= tests::LIMIT.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Runs `f`, compiled for the best instruction set of this processor. Write `vectorised(#[inline(always)] || ...)`:
/// without the attribute the compiler may call the closure instead of compiling it anew. What the closure calls must be
/// inlined too, so mark functions `#[inline(always)]`; do not start parallel work inside, whose tasks are calls.
#[inline(always)]
pub(crate) fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        match Level::best() {
            // SAFETY: `best` found the processor to have every feature of the level.
            Level::Avx512 => return unsafe { avx512(f) },
            // SAFETY: as above.
            Level::Avx2 => return unsafe { avx2(f) },
            Level::Portable => {}
        }
    }
    f()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi2")]
fn avx2<R>(f: impl FnOnce() -> R) -> R {
    f()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi2,avx512f,avx512bw,avx512dq,avx512vl")]
fn avx512<R>(f: impl FnOnce() -> R) -> R {
    f()
}

#[cfg(test)]
pub(crate) use tests::same_at_every_level;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// The highest level in use. Tests that run meanwhile lose speed only.
    pub(super) static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

    /// Computes `f` at every level of this processor, and demands one result.
    pub(crate) fn same_at_every_level<R: PartialEq + std::fmt::Debug>(f: impl Fn() -> R) -> R {
        static ONE: Mutex<()> = Mutex::new(());
        let one_at_a_time = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut results = Vec::new();
        for &level in Level::ALL.iter().filter(|level| level.is_available()) {
            LIMIT.store(level as usize, Ordering::Relaxed);
            results.push(f());
        }
        LIMIT.store(usize::MAX, Ordering::Relaxed);
        drop(one_at_a_time);
        let first = results.remove(0);
        for (other, level) in results.iter().zip(&Level::ALL[1..]) {
            assert!(*other == first, "{level:?} differs from {:?}", Level::Portable);
        }
        first
    }

    #[test]
    fn every_version_gives_the_same_bits() {
        // Numbers whose products and sums round, in a length no vector divides.
        let numbers = |seed: u32| -> Vec<f32> { (0..1003u32).map(|i| (i * 37 + seed) as f32 * 0.1 - 7.3).collect() };
        let (a, b) = (numbers(1), numbers(2));
        let bits = same_at_every_level(|| {
            let mut lanes = [0f32; 16];
            vectorised(
                #[inline(always)]
                || {
                    for (a, b) in a.chunks_exact(16).zip(b.chunks_exact(16)) {
                        for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
                            *lane += a * b + 0.3 / b;
                        }
                    }
                },
            );
            lanes.map(f32::to_bits)
        });
        assert!(bits.iter().all(|&b| f32::from_bits(b).is_finite() && b != 0));
    }

    #[test]
    fn the_widest_available_level_is_used() {
        let widest = Level::ALL.iter().rev().find(|level| level.is_available());
        assert_eq!(same_at_every_level(|| vectorised(|| 1)), 1);
        assert!(widest.is_some_and(|&level| level >= Level::best()));
    }
}
