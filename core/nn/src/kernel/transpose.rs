//! A matrix laid on its side, a tile at a time: each row of a tile is a cache line.

use super::simd::{LANES, vectorised};

/// A matrix that is written, maybe for the first time: rows of `columns` elements, `row_step` apart.
pub(crate) struct Target {
    first: *mut f32,
    rows: usize,
    columns: usize,
    row_step: usize,
}

impl Target {
    /// # Safety
    /// All elements are valid for writes as long as the target lives, and nobody else looks at them.
    pub(crate) unsafe fn new(first: *mut f32, rows: usize, columns: usize, row_step: usize) -> Self {
        Self { first, rows, columns, row_step }
    }

    /// Writes elements of a row, the first of them to this column.
    #[inline(always)]
    fn write(&mut self, row: usize, column: usize, values: &[f32]) {
        assert!(row < self.rows && column + values.len() <= self.columns, "written beyond the matrix");
        // SAFETY: these elements are among those vouched for; `values` is elsewhere, for nobody else has a view of them.
        unsafe {
            let to = self.first.add(row * self.row_step + column);
            std::ptr::copy_nonoverlapping(values.as_ptr(), to, values.len());
        }
    }
}

/// A tile laid on its side, in registers.
#[inline(always)]
fn turned(tile: &[[f32; LANES]; LANES]) -> [[f32; LANES]; LANES] {
    std::array::from_fn(|row| std::array::from_fn(|column| tile[column][row]))
}

vectorised! {
    /// Writes `from`, as many rows as `to` has columns, each with an element for every row of `to`.
    pub(crate) fn transpose(from: &[f32], to: &mut Target) {
        let (rows, columns) = (to.rows, to.columns);
        for column in (0..columns).step_by(LANES) {
            let wide = LANES.min(columns - column);
            for row in (0..rows).step_by(LANES) {
                let high = LANES.min(rows - row);
                let mut tile = [[0.0f32; LANES]; LANES];
                if wide == LANES && high == LANES {
                    for (at, line) in tile.iter_mut().enumerate() {
                        line.copy_from_slice(&from[(column + at) * rows + row..][..LANES]);
                    }
                } else {
                    for (at, line) in tile[..wide].iter_mut().enumerate() {
                        line[..high].copy_from_slice(&from[(column + at) * rows + row..][..high]);
                    }
                }
                for (at, line) in turned(&tile).iter().enumerate().take(high) {
                    to.write(row + at, column, &line[..wide]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_finds_its_place_and_nothing_else_is_touched() {
        for (rows, columns) in [(1, 1), (16, 16), (5, 40), (40, 5), (33, 50), (128, 96)] {
            let from: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
            let row_step = columns + 3;
            let mut to = vec![-1.0; rows * row_step];
            // SAFETY: `to` has `rows` rows, `row_step` apart, and is not looked at before the target is gone.
            transpose(&from, &mut unsafe { Target::new(to.as_mut_ptr(), rows, columns, row_step) });
            for row in 0..rows {
                for column in 0..row_step {
                    let expected = if column < columns { (column * rows + row) as f32 } else { -1.0 };
                    assert_eq!(to[row * row_step + column], expected, "{rows} by {columns}: {row}, {column}");
                }
            }
        }
    }
}
