//! Tiled 16x16 transpose: each row of a tile is one cache line.

use super::simd::{LANES, Level, level};

/// A possibly uninitialised matrix to write to: rows of `columns` elements, `row_step` apart.
pub(crate) struct Target {
    first: *mut f32,
    rows: usize,
    columns: usize,
    row_step: usize,
}

impl Target {
    /// # Safety
    /// All elements must be valid for writes as long as the target lives, and nothing else may access them.
    pub(crate) unsafe fn new(first: *mut f32, rows: usize, columns: usize, row_step: usize) -> Self {
        Self { first, rows, columns, row_step }
    }

    /// Writes `values` to a row, starting at `column`.
    #[inline(always)]
    fn write(&mut self, row: usize, column: usize, values: &[f32]) {
        assert!(row < self.rows && column + values.len() <= self.columns, "written beyond the matrix");
        // SAFETY: these elements are among those that the caller of `new` guarantees; `values` does not overlap them,
        // because nothing else may access them.
        unsafe {
            let to = self.first.add(row * self.row_step + column);
            std::ptr::copy_nonoverlapping(values.as_ptr(), to, values.len());
        }
    }
}

/// Sixteen rows of sixteen elements.
type Tile = [[f32; LANES]; LANES];

/// The transpose of a tile.
#[inline(always)]
fn transposed(tile: &Tile) -> Tile {
    std::array::from_fn(|row| std::array::from_fn(|column| tile[column][row]))
}

/// The transpose in registers: swaps single elements, then pairs, then quarters of a row, twice. The code the compiler
/// generates for [`transposed`] gathers every element separately.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed_in_registers(tile: &Tile) -> Tile {
    use std::arch::x86_64::{
        __m512, _mm512_castpd_ps as singles, _mm512_castps_pd as doubles, _mm512_loadu_ps,
        _mm512_shuffle_f32x4, _mm512_storeu_ps, _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd,
        _mm512_unpacklo_ps,
    };
    // SAFETY: a row of a tile is as long as a register.
    let rows: [__m512; LANES] = std::array::from_fn(|row| unsafe { _mm512_loadu_ps(tile[row].as_ptr()) });
    let pairs: [__m512; LANES] = std::array::from_fn(|at| match (rows[at & !1], rows[at | 1], at % 2) {
        (a, b, 0) => _mm512_unpacklo_ps(a, b),
        (a, b, _) => _mm512_unpackhi_ps(a, b),
    });
    // Register 4 i + j holds, in its quarter q, column 4 q + j of rows 4 i to 4 i + 3.
    let fours: [__m512; LANES] = std::array::from_fn(|at| {
        let first = (at & !3) + at % 4 / 2;
        let (a, b) = (doubles(pairs[first]), doubles(pairs[first + 2]));
        singles(if at % 2 == 0 { _mm512_unpacklo_pd(a, b) } else { _mm512_unpackhi_pd(a, b) })
    });
    let mut out = [[0.0; LANES]; LANES];
    for (row, line) in out.iter_mut().enumerate() {
        let (quarter, j) = (row / 4, row % 4);
        let [a, b, c, d] = [fours[j], fours[4 + j], fours[8 + j], fours[12 + j]];
        let (upper, lower) = match quarter % 2 {
            0 => (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0x88>(c, d)),
            _ => (_mm512_shuffle_f32x4::<0xdd>(a, b), _mm512_shuffle_f32x4::<0xdd>(c, d)),
        };
        let whole = match quarter / 2 {
            0 => _mm512_shuffle_f32x4::<0x88>(upper, lower),
            _ => _mm512_shuffle_f32x4::<0xdd>(upper, lower),
        };
        // SAFETY: as above.
        unsafe { _mm512_storeu_ps(line.as_mut_ptr(), whole) };
    }
    out
}

/// Writes the transpose of `from` to `to`. `from` has as many rows as `to` has columns, `row_step` apart, each with at
/// least one element per row of `to`.
pub(crate) fn transpose(from: &[f32], row_step: usize, to: &mut Target) {
    #[cfg(target_arch = "x86_64")]
    if level() == Level::Avx512 {
        #[target_feature(enable = "avx512f")]
        fn avx512(from: &[f32], row_step: usize, to: &mut Target) {
            tiles(from, row_step, to, |tile| transposed_in_registers(tile));
        }
        // SAFETY: the level is at most the widest level of this processor.
        return unsafe { avx512(from, row_step, to) };
    }
    tiles(from, row_step, to, transposed);
}

/// Visits tiles row by row, so that writes go to sixteen sequential streams.
#[inline(always)]
fn tiles(from: &[f32], row_step: usize, to: &mut Target, transposed: impl Fn(&Tile) -> Tile) {
    let (rows, columns) = (to.rows, to.columns);
    for row in (0..rows).step_by(LANES) {
        let high = LANES.min(rows - row);
        for column in (0..columns).step_by(LANES) {
            let wide = LANES.min(columns - column);
            let mut tile = [[0.0; LANES]; LANES];
            if wide == LANES && high == LANES {
                for (at, line) in tile.iter_mut().enumerate() {
                    line.copy_from_slice(&from[(column + at) * row_step + row..][..LANES]);
                }
                for (at, line) in transposed(&tile).iter().enumerate() {
                    to.write(row + at, column, line);
                }
            } else {
                for (at, line) in tile[..wide].iter_mut().enumerate() {
                    line[..high].copy_from_slice(&from[(column + at) * row_step + row..][..high]);
                }
                for (at, line) in transposed(&tile).iter().enumerate().take(high) {
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
    fn every_element_is_transposed_and_nothing_else_is_written() {
        for (rows, columns) in [(1, 1), (16, 16), (5, 40), (40, 5), (33, 50), (128, 96)] {
            // The rows of `from` are two elements longer than the part that is transposed.
            let from: Vec<f32> = (0..(rows + 2) * columns).map(|i| i as f32).collect();
            let row_step = columns + 3;
            let mut to = vec![-1.0; rows * row_step];
            // SAFETY: `to` has `rows` rows, `row_step` apart, and is not accessed while the target lives.
            transpose(&from, rows + 2, &mut unsafe { Target::new(to.as_mut_ptr(), rows, columns, row_step) });
            for row in 0..rows {
                for column in 0..row_step {
                    let expected = if column < columns { (column * (rows + 2) + row) as f32 } else { -1.0 };
                    assert_eq!(to[row * row_step + column], expected, "{rows} by {columns}: {row}, {column}");
                }
            }
        }
    }
}
