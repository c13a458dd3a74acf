//! Matmul on slices, with strides and accumulation: the `gemm` crate (which burn-flex also uses) behind bounds checks.
//! Allocates only packing and transpose buffers.

use std::sync::Once;

use rayon::prelude::*;

use super::simd::LANES;
use super::transpose::{Target, transpose};

/// A strided matrix over a slice: element (r, c) is at `r * row_step + c * column_step`.
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

    /// The transpose, without copying.
    pub(crate) fn transposed(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_step: self.column_step,
            column_step: self.row_step,
        }
    }

    /// `count` columns from column `first` on. They must exist.
    fn columns_from(self, first: usize, count: usize) -> Self {
        Self { data: &self.data[first * self.column_step..], columns: count, ..self }
    }

    /// `count` rows from row `first` on. They must exist.
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

/// Writes `a · b · factor` to `out`, whose rows are `row_step` apart; with `add`, adds it to what `out` contains. A large product runs on the
/// threads of the current rayon pool.
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

/// `a · b · factor` as a new row-major matrix.
pub(crate) fn new_product(a: View<'_>, b: View<'_>, factor: f32) -> Vec<f32> {
    assert_eq!(a.columns, b.rows, "inner sizes of a product");
    if a.columns == 0 {
        return vec![0.0; a.rows * b.columns];
    }
    let length = a.rows * b.columns;
    let mut out = Vec::with_capacity(length);
    if length > 0 {
        // SAFETY: the buffer has capacity for `length` elements. The product writes each of them before they are read,
        // because it does not add.
        unsafe {
            raw(out.as_mut_ptr(), b.columns, a, b, factor, false);
            out.set_len(length);
        }
    }
    out
}

/// Largest number of output elements for which the `gemm` crate may use dot products along registers, if the operands
/// allow it.
const HORIZONTAL: usize = 16 * 16;

/// If neither rows nor columns exceed this, the `gemm` crate splits long sums differently than for larger products.
const SMALL: usize = 64;

/// Longest sum that the `gemm` crate never splits.
pub(crate) const UNDIVIDED: usize = 512;

/// Number of rows from which on the number of rows does not affect the order in which the elements of a product are
/// added up (a product with `columns` columns and sums of `inner` terms). With fewer rows the `gemm` crate uses special kernels, whose results
/// differ in the last bits.
pub(crate) fn rows_of_one_order(columns: usize, inner: usize) -> usize {
    // One thread's part of a product may have as few as `COLUMNS` columns.
    let min_rows = HORIZONTAL / columns.clamp(1, COLUMNS) + 1;
    if columns <= SMALL && inner > UNDIVIDED { min_rows.max(SMALL + 1) } else { min_rows.max(2) }
}

/// Number of multiplications below which starting another thread takes longer than it saves.
const SINGLE_THREAD: usize = 192 * 192 * 192;

/// The sizes of the parts of a partitioned product are multiples of these, which are a few register tiles each. A part
/// then adds up in the same order as the whole product.
const COLUMNS: usize = 128;
const ROWS: usize = 96;

/// # Safety
/// `out` must be valid for writes of `a.rows` rows of `b.columns` elements, `row_step` apart, and, with `add`, for
/// reads.
unsafe fn raw(out: *mut f32, row_step: usize, a: View<'_>, b: View<'_>, factor: f32, add: bool) {
    a.check(a.data.len());
    b.check(b.data.len());
    let threads = rayon::current_num_threads();
    if threads == 1 || a.rows * b.columns * a.columns < SINGLE_THREAD {
        // SAFETY: the caller guarantees that `out` is valid; `a` and `b` lie within their slices (checked above).
        return unsafe { gemm_single_thread(out, row_step, a, b, factor, add) };
    }
    // `gemm` packs the larger operand, `b`, before it multiplies. If there are enough columns for all threads, each
    // thread packs only its own part of `b`; the crate's own threads would each pack all of it.
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
        // SAFETY: the parts are disjoint, and each lies within the memory that the caller guarantees; `at` is the
        // offset of the part's first element.
        unsafe { gemm_single_thread(out.0.add(at), row_step, a, b, factor, add) };
    });
}

/// The output pointer, shared between threads.
struct Out(*mut f32);
// SAFETY: threads write to disjoint parts (see `raw`).
unsafe impl Sync for Out {}

/// The product on the current thread.
///
/// # Safety
/// As for [`raw`]; in addition, `a` and `b` must lie within their slices.
unsafe fn gemm_single_thread(
    out: *mut f32,
    row_step: usize,
    a: View<'_>,
    b: View<'_>,
    factor: f32,
    add: bool,
) {
    // SAFETY: the caller guarantees that `out`, `a` and `b` are valid.
    unsafe {
        match !add && prefer_transposed_gemm(a, b) {
            true => gemm_via_transpose(out, row_step, a, b, factor),
            false => multiply(out, [1, row_step], a, b, factor, add),
        }
    }
}

/// Computes the transposed product and transposes the result, one block of rows at a time.
///
/// # Safety
/// As for [`gemm_single_thread`], without `add`.
unsafe fn gemm_via_transpose(out: *mut f32, row_step: usize, a: View<'_>, b: View<'_>, factor: f32) {
    let (mut x, mut product_t) = (Vec::new(), Vec::new());
    // Blocks of nearly equal height, so that no block of only a few rows remains.
    let height = a.rows.div_ceil(a.rows.div_ceil(BLOCK_ROWS)).next_multiple_of(LANES);
    for top in (0..a.rows).step_by(height) {
        let high = height.min(a.rows - top);
        // Blocks of nearly equal width, too: the `gemm` crate would add up a narrow block in another order.
        let max_width = (BLOCK_ELEMENTS / high).max(LANES);
        let (parts, tiles) = (b.columns.div_ceil(max_width), b.columns / LANES);
        let begin = |part: usize| if part == parts { b.columns } else { part * tiles / parts * LANES };
        reserve(&mut x, a.columns * high);
        reserve(&mut product_t, high * b.columns.min(max_width + 2 * LANES));
        let rows = a.rows_from(top, high);
        if high >= LANES {
            // SAFETY: `x` has capacity for the transpose of these rows, and each of its elements is written.
            unsafe {
                let mut to = Target::new(x.as_mut_ptr(), a.columns, high, high);
                transpose(rows.data, rows.row_step, &mut to);
                x.set_len(a.columns * high);
            }
        }
        // Two or three rows stay untransposed: transposed, they would take another kernel of the `gemm` crate, with
        // different last bits.
        let rows = if x.is_empty() { rows } else { View::dense(&x, a.columns, high).transposed() };
        for part in 0..parts {
            let (first, count) = (begin(part), begin(part + 1) - begin(part));
            assert!(high * count <= product_t.capacity(), "a block of {count} columns is too wide");
            // SAFETY: `product_t` has capacity for `count` columns of the product, and each of their elements is
            // written. The target is these columns of the rows of `out`, which the caller guarantees to be valid.
            let mut to = unsafe {
                multiply(
                    product_t.as_mut_ptr(),
                    [high, 1],
                    rows,
                    b.columns_from(first, count),
                    factor,
                    false,
                );
                product_t.set_len(high * count);
                Target::new(out.add(top * row_step + first), high, count, row_step)
            };
            transpose(&product_t, high, &mut to);
        }
    }
}

/// Empties a buffer and reserves capacity for `length` elements.
fn reserve(buffer: &mut Vec<f32>, length: usize) {
    buffer.clear();
    buffer.reserve_exact(length);
}

/// Maximum number of rows per block of a transposed product.
const BLOCK_ROWS: usize = 128;

/// Elements per block of a transposed product: few enough to stay in the cache.
const BLOCK_ELEMENTS: usize = 1 << 16;

/// Whether it is faster to compute the transposed product and transpose the result. `gemm` packs the right-hand
/// operand. Packing `b` is most expensive if its columns are contiguous (a weight as checkpoints store it), if they are
/// long, and if there are few rows to amortise it. The transposed product packs `a` instead, which is transposed first
/// because the crate would pack it element by element. The sums are the same to the last bit. The thresholds were
/// measured (`docs/results.md`).
fn prefer_transposed_gemm(a: View<'_>, b: View<'_>) -> bool {
    let across = b.row_step == 1 && b.column_step > 1 && a.column_step == 1;
    let worth = a.rows <= 256 || a.columns >= 1536;
    across && worth && a.rows > 1 && a.columns >= 128 && b.columns > SMALL
}

/// Widest product, in tiles of 64, up to which the `gemm` crate reads an operand in place, if it can, instead of
/// packing it. The crate's default of 2 costs narrow products up to a third of their time.
const READ_IN_PLACE: usize = 16;

/// The product, with the steps of the output from column to column and from row to row.
///
/// # Safety
/// As for [`gemm_single_thread`].
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
    // SAFETY: the caller guarantees that `out`, `a` and `b` are valid.
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
            for direct in [true, false] {
                let b = match direct {
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
    fn a_transposed_product_is_the_same_to_the_last_bit() {
        let waves = |length: usize| (0..length).map(|i| (i as f32 * 0.73).cos()).collect::<Vec<f32>>();
        for (rows, inner, columns) in [
            (2, 128, 80),
            (17, 600, 1000),
            (64, 64 * 9, 66),
            // Columns that leave a few over when cut into blocks of one width.
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
            let [mut via_transpose, mut direct] = [(); 2].map(|()| vec![0.25; rows * row_step]);
            // SAFETY: both have capacity for `rows` rows.
            unsafe {
                gemm_single_thread(via_transpose.as_mut_ptr(), row_step, a, b, 1.0, false);
                multiply(direct.as_mut_ptr(), [1, row_step], a, b, 1.0, false);
            }
            assert!(via_transpose == direct, "[{rows}, {inner}] by [{inner}, {columns}]");
        }
    }
}
