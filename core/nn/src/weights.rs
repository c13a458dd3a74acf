//! Named weights in host memory, and safetensors files of them.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{DType, Device, Tensor, TensorData};
use cadre_checkpoint::{CheckpointError, TensorFiles};
use safetensors::tensor::{Dtype, TensorView};

use crate::error::NnError;

/// An f32 matrix, or a vector (one row).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Weight {
    /// One or two dimensions, as in the file.
    pub(crate) shape: Vec<usize>,
    /// Row-major values.
    pub(crate) values: Vec<f32>,
}

impl Weight {
    /// (rows, columns); a vector is one row.
    pub(crate) fn sizes(&self) -> [usize; 2] {
        match self.shape[..] {
            [rows, columns] => [rows, columns],
            _ => [1, self.values.len()],
        }
    }

    /// Uploads the weight to a device.
    pub(crate) fn tensor(&self, device: &Device, dtype: DType) -> Tensor<2> {
        upload(self.values.clone(), self.sizes(), device).cast(dtype)
    }
}

/// Uploads a matrix to a device.
pub(crate) fn upload(values: Vec<f32>, sizes: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, sizes), device)
}

/// Uploads a tensor of a file to a device as `[rows, columns]`; a vector becomes one row. Warns if a value is not
/// finite.
///
/// # Errors
/// The tensor is missing, or has another shape or an unsupported number type.
pub(crate) fn load(
    files: &TensorFiles,
    name: &str,
    shape: &[usize],
    device: &Device,
    dtype: DType,
) -> Result<Tensor<2>, NnError> {
    let sizes = match shape {
        [rows, columns] => [*rows, *columns],
        _ => [1, shape.iter().product()],
    };
    let finite;
    let data = if dtype == DType::BF16 {
        let values = files.bf16_values(name, shape)?;
        finite = values.iter().all(|value| value.is_finite());
        TensorData::new(values, sizes)
    } else {
        let values = files.values(name, shape)?;
        finite = values.iter().all(|value| value.is_finite());
        TensorData::new(values, sizes)
    };
    if !finite {
        tracing::warn!(
            file = %files.file_of(name).display(),
            tensor = name,
            "a weight has values that are not finite; results computed with it will not be finite either"
        );
    }
    Ok(Tensor::from_data(data, (device, dtype)))
}

/// Downloads a matrix from its device, row-major.
///
/// # Errors
/// The backend failed in the computation of the matrix.
pub(crate) fn download(tensor: Tensor<2>) -> Result<Vec<f32>, NnError> {
    let data = tensor
        .cast(DType::F32)
        .try_into_data()
        .map_err(|error| NnError::Compute { problem: error.to_string() })?;
    data.try_into_vec::<f32>().map_err(|error| NnError::Compute { problem: format!("{error:?}") })
}

/// Weights by name.
pub(crate) type WeightMap = BTreeMap<String, Weight>;

/// Reads a safetensors file of f32, f16 or bf16 tensors.
///
/// # Errors
/// A missing or damaged file, another number type, or a value that is not finite.
pub(crate) fn read(path: &Path) -> Result<WeightMap, NnError> {
    let file = TensorFiles::of(vec![path.to_path_buf()])?;
    let mut weights = WeightMap::new();
    for name in file.names() {
        let shape = file.shape(name).unwrap_or_default().to_vec();
        let values = file.values(name, &shape)?;
        if !values.iter().all(|value| value.is_finite()) {
            return Err(NnError::NotFinite { path: path.into(), name: name.into() });
        }
        weights.insert(name.to_owned(), Weight { shape, values });
    }
    Ok(weights)
}

/// The bytes of a safetensors file of f32 tensors, in the order of names.
///
/// # Errors
/// The writer fails, which does not happen if the weights' shapes match their values.
pub(crate) fn bytes(weights: &WeightMap, path: &Path) -> Result<Vec<u8>, NnError> {
    let wrong = |source| CheckpointError::Weights { path: path.into(), source };
    let raw: Vec<(&String, &Weight, Vec<u8>)> = weights
        .iter()
        .map(|(name, weight)| {
            (name, weight, weight.values.iter().flat_map(|value| value.to_le_bytes()).collect())
        })
        .collect();
    let mut views = Vec::with_capacity(raw.len());
    for (name, weight, data) in &raw {
        views.push((name.as_str(), TensorView::new(Dtype::F32, weight.shape.clone(), data).map_err(wrong)?));
    }
    Ok(safetensors::serialize(views, None).map_err(wrong)?)
}

/// Returns a weight after checking its shape.
///
/// # Errors
/// The weight is missing or has another shape.
pub(crate) fn expect<'a>(
    weights: &'a WeightMap,
    name: &str,
    shape: &[usize],
    path: &Path,
) -> Result<&'a Weight, NnError> {
    let missing = || CheckpointError::MissingTensor { path: path.into(), name: name.into() };
    let weight = weights.get(name).ok_or_else(missing)?;
    if weight.shape != shape {
        return Err(CheckpointError::TensorShape {
            path: path.into(),
            name: name.into(),
            found: weight.shape.clone(),
            expected: shape.to_vec(),
        }
        .into());
    }
    Ok(weight)
}
