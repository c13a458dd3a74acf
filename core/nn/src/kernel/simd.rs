//! Loops over slices compiled for the widest vectors that the processor supports, selected at run time; the build
//! itself targets any x86-64. Multiplications and additions must never be fused, and sums must use sixteen fixed lanes,
//! so that every processor gives the same bits.

use std::sync::atomic::{AtomicU8, Ordering};

/// A vector instruction level. Each level includes the instructions of the narrower ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Level {
    Plain = 1,
    Avx2 = 2,
    Avx512 = 3,
}

/// Environment variable that selects a narrower level than the processor has: `plain`, `avx2` or `avx512`. Results must
/// not depend on it; it exists to test that.
const VARIABLE: &str = "CADRE_CPU_LEVEL";

/// The selected level; 0 until it is determined.
static LEVEL: AtomicU8 = AtomicU8::new(0);

/// The level in use: the processor's widest, or a narrower one requested through the environment.
#[inline]
pub(crate) fn level() -> Level {
    match LEVEL.load(Ordering::Relaxed) {
        1 => Level::Plain,
        2 => Level::Avx2,
        3 => Level::Avx512,
        _ => {
            let level = asked().ok().flatten().unwrap_or_else(widest);
            LEVEL.store(level as u8, Ordering::Relaxed);
            level
        }
    }
}

/// The widest level of this processor, which supports every feature that [`vectorised`] enables for it.
pub(crate) fn widest() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = std::is_x86_feature_detected!("avx2");
        let avx512 = std::is_x86_feature_detected!("avx512f")
            && std::is_x86_feature_detected!("avx512dq")
            && std::is_x86_feature_detected!("avx512vl")
            && std::is_x86_feature_detected!("avx512bw");
        match (avx2, avx512) {
            (true, true) => Level::Avx512,
            (true, false) => Level::Avx2,
            (false, _) => Level::Plain,
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    Level::Plain
}

/// The level requested through the environment.
///
/// # Errors
/// A value that is not a level, or a level that this processor does not support.
pub(crate) fn asked() -> Result<Option<Level>, String> {
    let Some(value) = std::env::var_os(VARIABLE) else { return Ok(None) };
    parsed(&value.to_string_lossy(), widest()).map(Some)
}

fn parsed(value: &str, widest: Level) -> Result<Level, String> {
    let level = match value {
        "plain" => Level::Plain,
        "avx2" => Level::Avx2,
        "avx512" => Level::Avx512,
        other => return Err(format!("{VARIABLE} is `{other}`; expected `plain`, `avx2` or `avx512`")),
    };
    match level <= widest {
        true => Ok(level),
        false => Err(format!("{VARIABLE} is `{value}`, which this processor does not have")),
    }
}

/// Runs `act` at each level that this processor supports. Tests that run concurrently also run at that level meanwhile,
/// which is safe because results must not depend on the level.
#[cfg(test)]
pub(crate) fn at_each_level<T>(mut act: impl FnMut() -> T) -> Vec<T> {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let before = level();
    let levels = [Level::Plain, Level::Avx2, Level::Avx512];
    let results = levels.into_iter().filter(|level| *level <= widest()).map(|level| {
        LEVEL.store(level as u8, Ordering::Relaxed);
        act()
    });
    let results = results.collect();
    LEVEL.store(before as u8, Ordering::Relaxed);
    results
}

/// Defines a function whose body is compiled once per level.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $out:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name($($arg: $type),*) $(-> $out)? {
            #[inline(always)]
            fn body($($arg: $type),*) $(-> $out)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx2")]
            fn avx512($($arg: $type),*) $(-> $out)? {
                body($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2($($arg: $type),*) $(-> $out)? {
                body($($arg),*)
            }
            match $crate::kernel::simd::level() {
                // SAFETY: `level` is at most `widest`, which tested this processor for each of these features.
                #[cfg(target_arch = "x86_64")]
                $crate::kernel::simd::Level::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::kernel::simd::Level::Avx2 => unsafe { avx2($($arg),*) },
                _ => body($($arg),*),
            }
        }
    };
}
pub(crate) use vectorised;

/// Lanes of a sum; fixed, so that the order of additions does not depend on the vector width.
pub(crate) const LANES: usize = 16;

/// Adds up the lanes in a fixed tree order.
#[inline(always)]
fn fold(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Sum of `of(a, b)` over two slices of equal length.
#[inline(always)]
pub(crate) fn sum2(a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (a_whole, a_rest) = a.as_chunks::<LANES>();
    let (b_whole, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_whole.iter().zip(b_whole) {
        for lane in 0..LANES {
            lanes[lane] += of(a[lane], b[lane]);
        }
    }
    for (lane, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
        lanes[lane] += of(*a, *b);
    }
    fold(lanes)
}

/// Sum of `of(a, b, c)` over three slices of equal length.
#[inline(always)]
pub(crate) fn sum3(a: &[f32], b: &[f32], c: &[f32], of: impl Fn(f32, f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (a_whole, a_rest) = a.as_chunks::<LANES>();
    let (b_whole, b_rest) = b.as_chunks::<LANES>();
    let (c_whole, c_rest) = c.as_chunks::<LANES>();
    for ((a, b), c) in a_whole.iter().zip(b_whole).zip(c_whole) {
        for lane in 0..LANES {
            lanes[lane] += of(a[lane], b[lane], c[lane]);
        }
    }
    for (lane, ((a, b), c)) in a_rest.iter().zip(b_rest).zip(c_rest).enumerate() {
        lanes[lane] += of(*a, *b, *c);
    }
    fold(lanes)
}

/// Replaces each value with `of(value)` and returns the sum of the new values.
#[inline(always)]
pub(crate) fn sum_map(values: &mut [f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (whole, rest) = values.as_chunks_mut::<LANES>();
    for chunk in whole {
        for lane in 0..LANES {
            chunk[lane] = of(chunk[lane]);
            lanes[lane] += chunk[lane];
        }
    }
    for (lane, value) in rest.iter_mut().enumerate() {
        *value = of(*value);
        lanes[lane] += *value;
    }
    fold(lanes)
}

/// Largest value of a slice; negative infinity for an empty one.
#[inline(always)]
pub(crate) fn max(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (whole, rest) = values.as_chunks::<LANES>();
    for chunk in whole {
        for lane in 0..LANES {
            lanes[lane] = if chunk[lane] > lanes[lane] { chunk[lane] } else { lanes[lane] };
        }
    }
    for (lane, value) in rest.iter().enumerate() {
        lanes[lane] = if *value > lanes[lane] { *value } else { lanes[lane] };
    }
    lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

/// `e^x`, within 2 units in the last place between -87.3 and 88. Below -87.3 it is 0; above 88 it is the value at 88.
///
/// Range reduction by multiples of ln 2 in two parts and the degree-5 polynomial of Cephes' `expf` (Moshier). There is
/// no branch and no call, so that loops around it are vectorised. NaN stays NaN.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer
    let clamped = if x < -87.3 { -87.3 } else { x };
    let clamped = if clamped > 88.0 { 88.0 } else { clamped };
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let r = clamped - whole * (355.0 / 512.0);
    let r = r - whole * -2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let value = p * (r * r) + r + 1.0;
    let power = (shifted.to_bits() as i32).wrapping_sub(0x4B40_0000).wrapping_add(127);
    let value = value * f32::from_bits((power << 23) as u32);
    if x < -87.3 { 0.0 } else { value }
}

/// Softmax probabilities below this are flushed to zero. They are lost to rounding in a sum near 1, but products with
/// them can be subnormal, which is about 100x slower. A floor of 1e-25 changed the last bits of a run.
const PROBABILITY_FLOOR: f32 = 1e-34;

/// A softmax probability, or zero if it is below the floor. NaN stays NaN.
#[inline(always)]
pub(crate) fn flush_small(share: f32) -> f32 {
    if share < PROBABILITY_FLOOR { 0.0 } else { share }
}

/// The logistic function.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    vectorised! {
        fn exp_all(values: &mut [f32]) {
            for value in values {
                *value = exp(*value);
            }
        }
    }

    #[test]
    fn exp_is_close_to_the_exact_one() {
        let mut x = -87.0f32;
        while x < 88.0 {
            let exact = f64::from(x).exp();
            let mut found = [x; 19];
            exp_all(&mut found);
            for value in found {
                assert!(((f64::from(value) - exact) / exact).abs() < 2.5e-7, "{x}: {value} {exact}");
                assert_eq!(value.to_bits(), exp(x).to_bits(), "levels differ at {x}");
            }
            x += 0.0137;
        }
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(f32::NEG_INFINITY) == 0.0 && exp(-1e30) == 0.0 && exp(-87.3) > 0.0);
        assert!(exp(0.0) == 1.0);
    }

    #[test]
    fn a_requested_level_is_never_wider_than_the_processor() {
        assert_eq!(parsed("plain", Level::Plain), Ok(Level::Plain));
        assert_eq!(parsed("avx2", Level::Avx512), Ok(Level::Avx2));
        assert!(parsed("avx512", Level::Avx2).unwrap_err().contains("does not have"));
        assert!(parsed("sse", Level::Avx512).unwrap_err().contains("expected `plain`"));
        assert_eq!(at_each_level(level).last(), Some(&widest()));
    }

    #[test]
    fn probabilities_below_the_floor_are_zero_and_others_stay() {
        for share in [1.0f32, 0.3, 1e-7, 1e-33] {
            assert_eq!(flush_small(share), share);
        }
        for share in [0.0f32, 1e-35, 1.2e-38, 1e-40] {
            assert_eq!(flush_small(share), 0.0);
        }
        assert!(flush_small(f32::NAN).is_nan());
    }

    #[test]
    fn sums_and_maxima_take_every_element() {
        for length in [0usize, 1, 15, 16, 17, 100] {
            let values: Vec<f32> = (0..length).map(|i| (i as f32) - 7.0).collect();
            let exact: f32 = values.iter().sum();
            assert_eq!(sum2(&values, &values, |a, _| a), exact);
            let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(max(&values), largest);
        }
    }
}
