//! The matrix product on slices, with strides and accumulation: the `gemm` crate that burn-flex
//! multiplies with, behind bounds checks. It allocates nothing but its own packing buffers.

use std::sync::Once;

use rayon::prelude::*;

use super::simd::LANES;
use super::transpose::{Target, transpose};

/// A matrix in a slice: element (r, c) is at `r * row_step + c * column_step`.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) row_step: usize,
    pub(crate) column_step: usize,
}

impl<'a> View<'a> {
    /// A dense row-major matrix.
    pub(crate) fn dense(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// Rows of `columns` elements, `row_step` apart.
    pub(crate) fn strided(data: &'a [f32], rows: usize, columns: usize, row_step: usize) -> Self {
        let view = Self { data, rows, columns, row_step, column_step: 1 };
        view.check(data.len());
        view
    }

    /// The same matrix on its side.
    pub(crate) fn transposed(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_step: self.column_step,
            column_step: self.row_step,
        }
    }

    /// `count` of its columns, which are there.
    fn columns_from(self, first: usize, count: usize) -> Self {
        Self { data: &self.data[first * self.column_step..], columns: count, ..self }
    }

    /// `count` of its rows, which are there.
    fn rows_from(self, first: usize, count: usize) -> Self {
        Self { data: &self.data[first * self.row_step..], rows: count, ..self }
    }

    fn check(&self, length: usize) {
        if self.rows > 0 && self.columns > 0 {
            let last = (self.rows - 1) * self.row_step + (self.columns - 1) * self.column_step;
            assert!(last < length, "matrix reaches {last} in a slice of {length}");
        }
    }
}

/// Writes `a · b · factor` (or adds it, with `add`) to rows of `out` that are `row_step` apart.
/// Runs on the threads of the current rayon pool when it is large.
pub(crate) fn product(out: &mut [f32], row_step: usize, a: View<'_>, b: View<'_>, factor: f32, add: bool) {
    assert_eq!(a.columns, b.rows, "inner sizes of a product");
    if a.rows == 0 || b.columns == 0 {
        return;
    }
    let last = (a.rows - 1) * row_step + b.columns - 1;
    assert!(row_step >= b.columns && last < out.len(), "product does not fit");
    // SAFETY: `out` is a live slice long enough for the rows checked above.
    unsafe { raw(out.as_mut_ptr(), row_step, a, b, factor, add) };
}

/// `a · b · factor` as a new dense matrix.
pub(crate) fn new_product(a: View<'_>, b: View<'_>, factor: f32) -> Vec<f32> {
    assert_eq!(a.columns, b.rows, "inner sizes of a product");
    if a.columns == 0 {
        return vec![0.0; a.rows * b.columns];
    }
    let length = a.rows * b.columns;
    let mut out = Vec::with_capacity(length);
    if length > 0 {
        // SAFETY: the buffer has room for `length` elements; the product writes each of them
        // before they are read, as it does not add.
        unsafe {
            raw(out.as_mut_ptr(), b.columns, a, b, factor, false);
            out.set_len(length);
        }
    }
    out
}

/// Most elements of a product that the crate makes by sums along registers, if its operands allow it.
const HORIZONTAL: usize = 16 * 16;

/// Rows and columns up to which, both at once, it divides long sums in another way than for larger products.
const SMALL: usize = 64;

/// Longest sum that it divides in no case.
pub(crate) const UNDIVIDED: usize = 512;

/// Rows from which on a product with `columns` columns and sums of `inner` terms adds up every element in one order,
/// however many rows there are: below, the crate has ways of its own for few rows, each with other last bits.
pub(crate) fn rows_of_one_order(columns: usize, inner: usize) -> usize {
    // A thread's part of a product may have as few as `COLUMNS` of its columns.
    let least = HORIZONTAL / columns.clamp(1, COLUMNS) + 1;
    if columns <= SMALL && inner > UNDIVIDED { least.max(SMALL + 1) } else { least.max(2) }
}

/// Multiplications below which another thread would wake too late to help.
const ALONE: usize = 192 * 192 * 192;

/// What parts of a divided product are multiples of: the sides of a tile of the product, a few times over, so that a
/// part adds up in the order in which the whole would.
const COLUMNS: usize = 128;
const ROWS: usize = 96;

/// # Safety
/// `out` is valid for writes of `a.rows` rows of `b.columns` elements, `row_step` apart, and, with
/// `add`, for reads.
unsafe fn raw(out: *mut f32, row_step: usize, a: View<'_>, b: View<'_>, factor: f32, add: bool) {
    a.check(a.data.len());
    b.check(b.data.len());
    let threads = rayon::current_num_threads();
    if threads == 1 || a.rows * b.columns * a.columns < ALONE {
        // SAFETY: the caller vouches for `out`; `a` and `b` lie within their slices (checked above).
        return unsafe { alone(out, row_step, a, b, factor, add) };
    }
    // The product lays the larger operand, `b`, out anew before it multiplies. Every thread lays out its own part
    // of it where it has columns enough to go round; the crate's own threads would each lay out all of it.
    let by_columns = b.columns >= threads * COLUMNS;
    let (length, unit) = if by_columns { (b.columns, COLUMNS) } else { (a.rows, ROWS) };
    let parts = threads.min(length / unit).max(1);
    let begin = |part: usize| if part == parts { length } else { part * (length / unit) / parts * unit };
    let out = Out(out);
    (0..parts).into_par_iter().for_each(|part| {
        let out = &out;
        let (first, count) = (begin(part), begin(part + 1) - begin(part));
        let (at, a, b) = match by_columns {
            true => (first, a, b.columns_from(first, count)),
            false => (first * row_step, a.rows_from(first, count), b),
        };
        // SAFETY: parts are apart from each other, each within what the caller vouches for; `at` is the first of
        // its elements.
        unsafe { alone(out.0.add(at), row_step, a, b, factor, add) };
    });
}

/// Where the parts of a product go.
struct Out(*mut f32);
// SAFETY: threads write apart from each other (see `raw`).
unsafe impl Sync for Out {}

/// The product on this thread.
///
/// # Safety
/// As for [`raw`]; `a` and `b` lie within their slices.
unsafe fn alone(out: *mut f32, row_step: usize, a: View<'_>, b: View<'_>, factor: f32, add: bool) {
    // SAFETY: the caller vouches for all three.
    unsafe {
        match !add && prefer_transposed_gemm(a, b) {
            true => gemm_via_transpose(out, row_step, a, b, factor),
            false => multiply(out, [1, row_step], a, b, factor, add),
        }
    }
}

/// Makes the product on its side and turns it over, a block of rows at a time.
///
/// # Safety
/// As for [`alone`], without `add`.
unsafe fn gemm_via_transpose(out: *mut f32, row_step: usize, a: View<'_>, b: View<'_>, factor: f32) {
    let (mut x, mut side) = (Vec::new(), Vec::new());
    // Blocks of nearly the same height: none of a few rows is left over.
    let height = a.rows.div_ceil(a.rows.div_ceil(HIGH)).next_multiple_of(LANES);
    for top in (0..a.rows).step_by(height) {
        let high = height.min(a.rows - top);
        // Blocks of nearly the same width too: a narrow one the crate would add up in another order.
        let most = (SIDE / high).max(LANES);
        let (parts, tiles) = (b.columns.div_ceil(most), b.columns / LANES);
        let begin = |part: usize| if part == parts { b.columns } else { part * tiles / parts * LANES };
        reserve(&mut x, a.columns * high);
        reserve(&mut side, high * b.columns.min(most + 2 * LANES));
        let rows = a.rows_from(top, high);
        if high >= LANES {
            // SAFETY: `x` has room for these rows on their side, and each of their elements is written.
            unsafe {
                let mut to = Target::new(x.as_mut_ptr(), a.columns, high, high);
                transpose(rows.data, rows.row_step, &mut to);
                x.set_len(a.columns * high);
            }
        }
        // Two or three rows the crate would multiply in another way if they lay on their side, to other last bits.
        let rows = if x.is_empty() { rows } else { View::dense(&x, a.columns, high).transposed() };
        for part in 0..parts {
            let (first, count) = (begin(part), begin(part + 1) - begin(part));
            assert!(high * count <= side.capacity(), "a block of {count} columns is too wide");
            // SAFETY: `side` has room for `count` columns of the product, and each of their elements is written; of
            // the rows of `out`, for which the caller vouches, these columns are the target.
            let mut to = unsafe {
                multiply(side.as_mut_ptr(), [high, 1], rows, b.columns_from(first, count), factor, false);
                side.set_len(high * count);
                Target::new(out.add(top * row_step + first), high, count, row_step)
            };
            transpose(&side, high, &mut to);
        }
    }
}

/// Empties a buffer that has room for so many elements.
fn reserve(buffer: &mut Vec<f32>, length: usize) {
    buffer.clear();
    buffer.reserve_exact(length);
}

/// Rows of a product that are made on their side at a time, at most.
const HIGH: usize = 128;

/// Elements of a product that is made on its side at a time: what stays in a cache.
const SIDE: usize = 1 << 16;

/// Whether a product is faster made on its side and turned over. What lies across the rows of the outcome is laid out
/// anew before it is multiplied with: `b`, which costs most when its columns are what lies together (a weight as
/// checkpoints store it), when they are long, and when few rows are there to pay for it. On its side it is `a` that is
/// laid out, which is turned over first, for the crate does that an element at a time. The sums are the same, to the
/// last bit. Sizes are those at which it was measured (`docs/results.md`).
fn prefer_transposed_gemm(a: View<'_>, b: View<'_>) -> bool {
    let across = b.row_step == 1 && b.column_step > 1 && a.column_step == 1;
    let worth = a.rows <= 256 || a.columns >= 1536;
    across && worth && a.rows > 1 && a.columns >= 128 && b.columns > SMALL
}

/// Widest product, in tiles of 64, before which the crate would lay out an operand that can be read where it lies. It
/// sets 2 itself, which costs narrow products up to a third of their time.
const READ_IN_PLACE: usize = 16;

/// The product with the steps of its outcome, from column to column and from row to row.
///
/// # Safety
/// As for [`alone`].
unsafe fn multiply(
    out: *mut f32,
    [column_step, row_step]: [usize; 2],
    a: View<'_>,
    b: View<'_>,
    factor: f32,
    add: bool,
) {
    static SET: Once = Once::new();
    SET.call_once(|| gemm::set_rhs_packing_threshold(READ_IN_PLACE));
    // SAFETY: the caller vouches for all three.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out,
            column_step as isize,
            row_step as isize,
            add,
            a.data.as_ptr(),
            a.column_step as isize,
            a.row_step as isize,
            b.data.as_ptr(),
            b.column_step as isize,
            b.row_step as isize,
            1.0,
            factor,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_and_accumulation_agree_with_a_plain_loop() {
        let a: Vec<f32> = (0..6 * 5).map(|i| (i as f32 * 0.37).sin()).collect();
        let b: Vec<f32> = (0..4 * 5).map(|i| (i as f32 * 0.61).cos()).collect();
        let mut out = vec![1.0; 6 * 7];
        product(&mut out, 7, View::dense(&a, 6, 5), View::dense(&b, 4, 5).transposed(), 2.0, true);
        for r in 0..6 {
            for c in 0..7 {
                let exact: f32 = if c < 4 { (0..5).map(|k| a[r * 5 + k] * b[c * 5 + k]).sum() } else { 0.0 };
                assert!((out[r * 7 + c] - (1.0 + 2.0 * exact)).abs() < 1e-5);
            }
        }
        let fresh = new_product(View::strided(&a, 6, 3, 5), View::strided(&b, 4, 3, 5).transposed(), 1.0);
        for r in 0..6 {
            for c in 0..4 {
                let exact: f32 = (0..3).map(|k| a[r * 5 + k] * b[c * 5 + k]).sum();
                assert!((fresh[r * 4 + c] - exact).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn a_product_is_the_same_on_any_number_of_threads() {
        let waves = |length: usize| (0..length).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<f32>>();
        let shapes = [
            (200, 700, 1000),
            (1000, 600, 60),
            (600, 600, 130),
            (2, 3000, 1500),
            (700, 1600, 70),
            (3, 130, 9000),
        ];
        for (rows, inner, columns) in shapes {
            let (a, b) = (waves(rows * inner), waves(columns * inner));
            for upright in [true, false] {
                let b = match upright {
                    true => View::dense(&b, inner, columns),
                    false => View::dense(&b, columns, inner).transposed(),
                };
                let on = |threads: usize| {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                    pool.install(|| new_product(View::dense(&a, rows, inner), b, 0.5))
                };
                let one: Vec<u32> = on(1).into_iter().map(f32::to_bits).collect();
                for threads in [2, 3, 5, 16] {
                    let several: Vec<u32> = on(threads).into_iter().map(f32::to_bits).collect();
                    assert!(one == several, "[{rows}, {inner}] by [{inner}, {columns}] on {threads} threads");
                }
            }
        }
    }

    #[test]
    fn a_product_made_on_its_side_is_the_same_to_the_last_bit() {
        let waves = |length: usize| (0..length).map(|i| (i as f32 * 0.73).cos()).collect::<Vec<f32>>();
        for (rows, inner, columns) in [
            (2, 128, 80),
            (17, 600, 1000),
            (64, 64 * 9, 66),
            // Blocks of columns that, cut to one width, leave a few over.
            (48, 576, 1377),
            (64, 600, 1030),
            (65, 576, 700),
            (128, 1000, 1536),
            (300, 2048, 90),
            (15, 600, 200),
            (130, 600, 1000),
            (256, 300, 1000),
            (257, 1600, 100),
            (700, 2048, 200),
        ] {
            let (a, b) = (waves(rows * inner), waves(columns * inner));
            let (a, b) = (View::dense(&a, rows, inner), View::dense(&b, columns, inner).transposed());
            assert!(prefer_transposed_gemm(a, b), "{rows} {inner} {columns}");
            let row_step = columns + 5;
            let [mut turned, mut upright] = [(); 2].map(|()| vec![0.25; rows * row_step]);
            // SAFETY: both have room for `rows` rows.
            unsafe {
                alone(turned.as_mut_ptr(), row_step, a, b, 1.0, false);
                multiply(upright.as_mut_ptr(), [1, row_step], a, b, 1.0, false);
            }
            assert!(turned == upright, "[{rows}, {inner}] by [{inner}, {columns}]");
        }
    }
}
