//! A tensor of a program: any kind, any rank from 1 to 4. Values keep their own rank, so that a program makes the same
//! calls of burn as native code: on burn-flex a matmul of rank 4 takes another path, and reshaping a transposed tensor
//! to rank 2 copies it.

use burn::tensor::{Bool, DType, Device, Gradients, Int, Tensor, TensorData};
use cadre_contract::program::ElementKind;

/// A tensor of any kind and rank.
#[derive(Clone, Debug)]
pub(crate) enum AnyTensor {
    Float1(Tensor<1>),
    Float2(Tensor<2>),
    Float3(Tensor<3>),
    Float4(Tensor<4>),
    Int1(Tensor<1, Int>),
    Int2(Tensor<2, Int>),
    Int3(Tensor<3, Int>),
    Int4(Tensor<4, Int>),
    Bool1(Tensor<1, Bool>),
    Bool2(Tensor<2, Bool>),
    Bool3(Tensor<3, Bool>),
    Bool4(Tensor<4, Bool>),
}

macro_rules! conversions {
    ($($variant:ident($($of:tt)*)),* $(,)?) => {
        $(impl From<Tensor<$($of)*>> for AnyTensor {
            fn from(tensor: Tensor<$($of)*>) -> Self {
                Self::$variant(tensor)
            }
        })*
    };
}

conversions! {
    Float1(1), Float2(2), Float3(3), Float4(4),
    Int1(1, Int), Int2(2, Int), Int3(3, Int), Int4(4, Int),
    Bool1(1, Bool), Bool2(2, Bool), Bool3(3, Bool), Bool4(4, Bool),
}

/// Evaluates an expression for a tensor of any kind and rank.
macro_rules! any {
    ($value:expr, $tensor:ident => $body:expr) => {
        match $value {
            AnyTensor::Float1($tensor) => $body,
            AnyTensor::Float2($tensor) => $body,
            AnyTensor::Float3($tensor) => $body,
            AnyTensor::Float4($tensor) => $body,
            AnyTensor::Int1($tensor) => $body,
            AnyTensor::Int2($tensor) => $body,
            AnyTensor::Int3($tensor) => $body,
            AnyTensor::Int4($tensor) => $body,
            AnyTensor::Bool1($tensor) => $body,
            AnyTensor::Bool2($tensor) => $body,
            AnyTensor::Bool3($tensor) => $body,
            AnyTensor::Bool4($tensor) => $body,
        }
    };
}

/// Evaluates an expression for a float tensor of any rank; another kind is an error.
macro_rules! float {
    ($value:expr, $tensor:ident => $body:expr) => {
        match $value {
            AnyTensor::Float1($tensor) => Ok(AnyTensor::from($body)),
            AnyTensor::Float2($tensor) => Ok(AnyTensor::from($body)),
            AnyTensor::Float3($tensor) => Ok(AnyTensor::from($body)),
            AnyTensor::Float4($tensor) => Ok(AnyTensor::from($body)),
            other => Err(other.unexpected()),
        }
    };
}

/// Evaluates an expression for two tensors of one rank, of the kinds named by their variants; others are an error.
macro_rules! pair {
    (($a:expr, $b:expr), [$(($one:ident, $other:ident)),* $(,)?], ($x:ident, $y:ident) => $body:expr) => {
        match ($a, $b) {
            $((AnyTensor::$one($x), AnyTensor::$other($y)) => Ok(AnyTensor::from($body)),)*
            (first, _) => Err(first.unexpected()),
        }
    };
    (floats($a:expr, $b:expr), ($x:ident, $y:ident) => $body:expr) => {
        pair!(($a, $b), [(Float1, Float1), (Float2, Float2), (Float3, Float3), (Float4, Float4)], ($x, $y) => $body)
    };
    (ints($a:expr, $b:expr), ($x:ident, $y:ident) => $body:expr) => {
        pair!(($a, $b), [(Int1, Int1), (Int2, Int2), (Int3, Int3), (Int4, Int4)], ($x, $y) => $body)
    };
    (bools($a:expr, $b:expr), ($x:ident, $y:ident) => $body:expr) => {
        pair!(($a, $b), [(Bool1, Bool1), (Bool2, Bool2), (Bool3, Bool3), (Bool4, Bool4)], ($x, $y) => $body)
    };
    (indexed($a:expr, $b:expr), ($x:ident, $y:ident) => $body:expr) => {
        pair!(($a, $b), [
            (Float1, Int1), (Float2, Int2), (Float3, Int3), (Float4, Int4),
            (Int1, Int1), (Int2, Int2), (Int3, Int3), (Int4, Int4),
            (Bool1, Int1), (Bool2, Int2), (Bool3, Int3), (Bool4, Int4),
        ], ($x, $y) => $body)
    };
}

pub(super) use {any, float, pair};

impl AnyTensor {
    /// A float tensor from row-major host values; 1 to 4 sizes.
    pub(crate) fn floats(values: Vec<f32>, shape: &[usize], device: &Device) -> Self {
        let data = TensorData::new(values, shape.to_vec());
        match shape.len() {
            1 => Self::Float1(Tensor::from_data(data, (device, DType::F32))),
            2 => Self::Float2(Tensor::from_data(data, (device, DType::F32))),
            3 => Self::Float3(Tensor::from_data(data, (device, DType::F32))),
            _ => Self::Float4(Tensor::from_data(data, (device, DType::F32))),
        }
    }

    /// An integer tensor from row-major host values; 1 to 4 sizes.
    pub(crate) fn ints(values: Vec<i64>, shape: &[usize], device: &Device) -> Self {
        let data = TensorData::new(values, shape.to_vec());
        match shape.len() {
            1 => Self::Int1(Tensor::from_data(data, device)),
            2 => Self::Int2(Tensor::from_data(data, device)),
            3 => Self::Int3(Tensor::from_data(data, device)),
            _ => Self::Int4(Tensor::from_data(data, device)),
        }
    }

    /// A bool tensor from row-major host values; 1 to 4 sizes.
    pub(crate) fn bools(values: Vec<bool>, shape: &[usize], device: &Device) -> Self {
        let data = TensorData::new(values, shape.to_vec());
        match shape.len() {
            1 => Self::Bool1(Tensor::from_data(data, device)),
            2 => Self::Bool2(Tensor::from_data(data, device)),
            3 => Self::Bool3(Tensor::from_data(data, device)),
            _ => Self::Bool4(Tensor::from_data(data, device)),
        }
    }

    /// Sizes.
    pub(crate) fn shape(&self) -> Vec<usize> {
        any!(self, tensor => tensor.dims().to_vec())
    }

    /// Kind of the elements.
    pub(crate) fn kind(&self) -> ElementKind {
        match self {
            Self::Float1(_) | Self::Float2(_) | Self::Float3(_) | Self::Float4(_) => ElementKind::Float,
            Self::Int1(_) | Self::Int2(_) | Self::Int3(_) | Self::Int4(_) => ElementKind::Int,
            Self::Bool1(_) | Self::Bool2(_) | Self::Bool3(_) | Self::Bool4(_) => ElementKind::Bool,
        }
    }

    /// Whether the kind and the sizes are these.
    pub(super) fn is_of(&self, kind: ElementKind, shape: &[u32]) -> bool {
        let same = |dims: &[usize]| {
            dims.len() == shape.len()
                && dims.iter().zip(shape).all(|(size, wanted)| *size == *wanted as usize)
        };
        self.kind() == kind && any!(self, tensor => same(&tensor.dims()))
    }

    /// The same tensor outside autodiff. `detach` is not enough: burn keeps it on the tape, and a detached leaf still
    /// requires a gradient.
    pub(crate) fn inner(self) -> Self {
        any!(self, tensor => tensor.inner().into())
    }

    /// Whether a gradient flows into this tensor.
    pub(super) fn is_tracked(&self) -> bool {
        match self {
            Self::Float1(tensor) => tensor.is_tracked(),
            Self::Float2(tensor) => tensor.is_tracked(),
            Self::Float3(tensor) => tensor.is_tracked(),
            Self::Float4(tensor) => tensor.is_tracked(),
            _ => false,
        }
    }

    /// The same elements, row-major, with other sizes; 1 to 4 of them.
    pub(super) fn reshaped(self, shape: &[usize]) -> Self {
        any!(self, tensor => match *shape {
            [a] => tensor.reshape([a]).into(),
            [a, b] => tensor.reshape([a, b]).into(),
            [a, b, c] => tensor.reshape([a, b, c]).into(),
            [a, b, c, d] => tensor.reshape([a, b, c, d]).into(),
            _ => unreachable!("a program has ranks from 1 to 4"),
        })
    }

    /// Repeats dimensions of size 1; the rank stays.
    pub(super) fn expanded(self, shape: &[usize]) -> Self {
        if self.shape() == shape {
            return self;
        }
        any!(self, tensor => {
            let mut sizes = tensor.dims();
            sizes.copy_from_slice(shape);
            tensor.expand(sizes).into()
        })
    }

    /// The tensor with sizes of 1 on the left up to this rank, as numpy broadcasts.
    pub(super) fn with_rank(self, rank: usize) -> Self {
        let shape = self.shape();
        if shape.len() >= rank {
            return self;
        }
        let mut sizes = vec![1; rank - shape.len()];
        sizes.extend(shape);
        self.reshaped(&sizes)
    }

    /// Floats in f32; other kinds are returned as they are.
    pub(super) fn in_f32(self) -> Self {
        macro_rules! cast {
            ($tensor:ident) => {
                if $tensor.dtype() == DType::F32 { $tensor.into() } else { $tensor.cast(DType::F32).into() }
            };
        }
        match self {
            Self::Float1(tensor) => cast!(tensor),
            Self::Float2(tensor) => cast!(tensor),
            Self::Float3(tensor) => cast!(tensor),
            Self::Float4(tensor) => cast!(tensor),
            other => other,
        }
    }

    /// The same tensor as a leaf of a tape, for floats; other kinds are returned as they are.
    pub(super) fn leaf(self) -> Self {
        match self {
            Self::Float1(tensor) => tensor.autodiff().require_grad().into(),
            Self::Float2(tensor) => tensor.autodiff().require_grad().into(),
            Self::Float3(tensor) => tensor.autodiff().require_grad().into(),
            Self::Float4(tensor) => tensor.autodiff().require_grad().into(),
            other => other,
        }
    }

    /// The gradient of this leaf, if one reached it.
    pub(super) fn take_gradient(&self, tape: &mut Gradients) -> Option<Self> {
        match self {
            Self::Float1(tensor) => tensor.grad_remove(tape).map(Into::into),
            Self::Float2(tensor) => tensor.grad_remove(tape).map(Into::into),
            Self::Float3(tensor) => tensor.grad_remove(tape).map(Into::into),
            Self::Float4(tensor) => tensor.grad_remove(tape).map(Into::into),
            _ => None,
        }
    }

    /// Downloads a bool tensor, row-major.
    ///
    /// # Errors
    /// The tensor is not bool, or the backend failed.
    pub(crate) fn to_bools(&self) -> Result<Vec<bool>, String> {
        macro_rules! download {
            ($tensor:ident) => {
                $tensor.clone().inner().int().try_into_vec_as::<i64>().map_err(|error| error.to_string())
            };
        }
        let found = match self {
            Self::Bool1(tensor) => download!(tensor),
            Self::Bool2(tensor) => download!(tensor),
            Self::Bool3(tensor) => download!(tensor),
            Self::Bool4(tensor) => download!(tensor),
            other => Err(other.unexpected()),
        }?;
        Ok(found.into_iter().map(|value| value != 0).collect())
    }

    /// Downloads a float tensor, row-major.
    ///
    /// # Errors
    /// The tensor is not float, or the backend failed.
    pub(crate) fn to_floats(&self) -> Result<Vec<f32>, String> {
        macro_rules! download {
            ($tensor:ident) => {
                $tensor.clone().inner().try_into_vec_as::<f32>().map_err(|error| error.to_string())
            };
        }
        match self {
            Self::Float1(tensor) => download!(tensor),
            Self::Float2(tensor) => download!(tensor),
            Self::Float3(tensor) => download!(tensor),
            Self::Float4(tensor) => download!(tensor),
            other => Err(other.unexpected()),
        }
    }

    /// Downloads an integer tensor, row-major.
    ///
    /// # Errors
    /// The tensor is not integer, or the backend failed.
    pub(crate) fn to_ints(&self) -> Result<Vec<i64>, String> {
        macro_rules! download {
            ($tensor:ident) => {
                $tensor.clone().inner().try_into_vec_as::<i64>().map_err(|error| error.to_string())
            };
        }
        match self {
            Self::Int1(tensor) => download!(tensor),
            Self::Int2(tensor) => download!(tensor),
            Self::Int3(tensor) => download!(tensor),
            Self::Int4(tensor) => download!(tensor),
            other => Err(other.unexpected()),
        }
    }

    /// The message for a kind or rank that the checker of programs rules out.
    pub(super) fn unexpected(&self) -> String {
        format!("unexpected {:?} tensor of shape {:?}", self.kind(), self.shape())
    }
}
