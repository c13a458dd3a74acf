//! The matrix product on slices, with strides and accumulation: the `gemm` crate that burn-flex
//! multiplies with, behind bounds checks. It allocates nothing but its own packing buffers.

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

/// # Safety
/// `out` is valid for writes of `a.rows` rows of `b.columns` elements, `row_step` apart, and, with
/// `add`, for reads.
unsafe fn raw(out: *mut f32, row_step: usize, a: View<'_>, b: View<'_>, factor: f32, add: bool) {
    a.check(a.data.len());
    b.check(b.data.len());
    // A product this small is done before another thread has woken.
    let large = a.rows * b.columns * a.columns >= 192 * 192 * 192;
    let parallelism = if large && rayon::current_num_threads() > 1 {
        gemm::Parallelism::Rayon(0)
    } else {
        gemm::Parallelism::None
    };
    // SAFETY: the caller vouches for `out`; `a` and `b` lie within their slices (checked above).
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out,
            1,
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
            parallelism,
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
}
