//! The tile that matrix products are made of, and what computes it on this processor.
//!
//! A tile is `rows` x `width` numbers of the result; its operands are packed so that step `k` of the sum reads `rows` and
//! `width` adjacent numbers.

/// `c (+)= a b` for one tile: depth, packed `a` and `b`, `c` and the distance of its lines, whether to add.
type Run<T> = unsafe fn(usize, &[T], &[T], *mut T, usize, bool);

/// Numbers of a side of the square that is turned at a time.
pub(crate) const SIDE: usize = 16;

/// Rows, where in them the square begins, where it goes, and the distance of lines there.
type Turn<T> = unsafe fn(&[&[T]; SIDE], usize, &mut [T], usize);

/// The tile of one number type on this processor.
#[derive(Clone, Copy)]
pub(crate) struct Micro<T> {
    /// Rows of a tile.
    pub(crate) rows: usize,
    /// Columns of a tile.
    pub(crate) width: usize,
    pub(super) run: Run<T>,
    pub(super) turn: Option<Turn<T>>,
}

impl<T> Micro<T> {
    /// `c (+)= a b`; `a` is `[depth, rows]`, `b` `[depth, width]`, and `c`'s lines are `line` numbers apart.
    ///
    /// # Safety
    /// `c` has `rows` lines of `width` numbers that nothing else touches meanwhile.
    #[inline]
    pub(crate) unsafe fn multiply(&self, depth: usize, a: &[T], b: &[T], c: *mut T, line: usize, add: bool) {
        let (a, b) = (&a[..depth * self.rows], &b[..depth * self.width]);
        // SAFETY: the caller's promise; the constructor checked the processor's features.
        unsafe { (self.run)(depth, a, b, c, line, add) }
    }

    /// `out[k * width + row] = rows[row][at + k]` for a square, if the processor has a fast way; false if it has not, or
    /// if `out` has no room for whole lines.
    #[inline]
    pub(crate) fn turn(&self, rows: &[&[T]; SIDE], at: usize, out: &mut [T], width: usize) -> bool {
        let Some(turn) = self.turn else { return false };
        let fits = out.len() >= (SIDE - 1) * width + SIDE && rows.iter().all(|row| row.len() >= at + SIDE);
        if fits {
            // SAFETY: just checked; the constructor checked the processor's features.
            unsafe { turn(rows, at, out, width) };
        }
        fits
    }
}

/// A number type with tiles.
pub(crate) trait Tiled: Sized {
    /// The tile for the processor at hand.
    fn micro() -> Micro<Self>;
}
