//! Singular values, QR and solving, on the host in f64 without a gradient; burn 0.22 has none of them. For small
//! matrices: the time grows with the cube of their size.

use burn::tensor::Device;
use nalgebra::DMatrix;

use super::value::AnyTensor;

/// Sweeps of the singular value decomposition per element of its matrix before it gives up.
const SWEEPS: usize = 100;

fn matrix(value: &AnyTensor) -> Result<DMatrix<f64>, String> {
    let shape = value.shape();
    let values = value.to_floats()?;
    // The iterations do not end for NaN.
    if values.iter().any(|value| !value.is_finite()) {
        return Err("the matrix holds a value that is not finite".into());
    }
    Ok(DMatrix::from_row_iterator(shape[0], shape[1], values.into_iter().map(f64::from)))
}

fn tensor(matrix: &DMatrix<f64>, device: &Device) -> AnyTensor {
    let values = matrix.transpose().iter().map(|value| *value as f32).collect();
    AnyTensor::floats(values, &[matrix.nrows(), matrix.ncols()], device)
}

/// U, S (descending) and Vᵀ.
pub(super) fn svd(x: &AnyTensor, device: &Device) -> Result<Vec<AnyTensor>, String> {
    let x = matrix(x)?;
    let sweeps = SWEEPS.saturating_mul(x.len());
    let found = x.try_svd(true, true, f64::EPSILON, sweeps);
    let (u, s, vt) = found
        .and_then(|svd| Some((svd.u?, svd.singular_values, svd.v_t?)))
        .ok_or("the singular value decomposition does not converge")?;
    let values = s.iter().map(|value| *value as f32).collect();
    Ok(vec![tensor(&u, device), AnyTensor::floats(values, &[s.len()], device), tensor(&vt, device)])
}

/// Q and R.
pub(super) fn qr(x: &AnyTensor, device: &Device) -> Result<Vec<AnyTensor>, String> {
    let found = matrix(x)?.qr();
    Ok(vec![tensor(&found.q(), device), tensor(&found.r(), device)])
}

/// X of A · X = B.
pub(super) fn solve(a: &AnyTensor, b: &AnyTensor, device: &Device) -> Result<AnyTensor, String> {
    let x = matrix(a)?.lu().solve(&matrix(b)?).ok_or("the matrix is singular")?;
    Ok(tensor(&x, device))
}
