//! Support for operations with a hand-written backward on burn-flex. This is burn's backend-extension mechanism, with
//! the concrete backend taken from the tensor itself. Other backends never reach this code: every operation has a
//! version composed of burn's own operations for them.

use std::fmt::Debug;
use std::mem::MaybeUninit;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, DispatchDevice, Flex};
use burn::tensor::{DType, Device, Tensor, TensorData};

/// A dense row-major matrix of burn-flex.
#[derive(Clone, Debug)]
pub(crate) struct Panel {
    tensor: FloatTensor<Flex>,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Panel {
    /// Takes ownership of row-major elements.
    pub(crate) fn new(data: Vec<f32>, rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "elements of a panel");
        let tensor = FloatTensor::<Flex>::from_data(TensorData::new(data, [rows, columns]));
        Self { tensor, rows, columns }
    }

    fn of(tensor: FloatTensor<Flex>) -> Self {
        let tensor = tensor.to_contiguous();
        let shape = tensor.layout().shape();
        let (rows, columns) = (shape[0], shape[1]);
        Self { tensor, rows, columns }
    }

    /// A matrix that is not zeroed before `fill` writes it. Large matrices are allocated all the time, and zeroing one
    /// costs as much as a pass over it.
    ///
    /// # Safety
    /// `fill` must write every element.
    pub(crate) unsafe fn filled(
        rows: usize,
        columns: usize,
        fill: impl FnOnce(&mut [MaybeUninit<f32>]),
    ) -> Self {
        let mut data = Vec::with_capacity(rows * columns);
        fill(&mut data.spare_capacity_mut()[..rows * columns]);
        // SAFETY: the capacity is `rows * columns`, and the caller guarantees that all of these elements are written.
        unsafe { data.set_len(rows * columns) };
        Self::new(data, rows, columns)
    }

    /// The elements, row-major.
    pub(crate) fn data(&self) -> &[f32] {
        // The tensor was made contiguous when the panel was created.
        &self.tensor.storage::<f32>()[..self.rows * self.columns]
    }
}

/// An operation on `N` matrices that returns one matrix.
pub(crate) trait FusedOp<const N: usize>: Clone + Debug + Send + 'static {
    /// What the backward pass needs from the forward pass.
    type Saved: Clone + Debug + Send + 'static;

    /// The output, and what the backward pass needs. `tracked` marks the inputs that need a gradient.
    fn forward(&self, inputs: [Panel; N], tracked: [bool; N]) -> (Panel, Self::Saved);

    /// Gradients of the inputs marked in `tracked`, given the gradient of the output.
    fn backward(&self, saved: Self::Saved, gradient: Panel, tracked: [bool; N]) -> [Option<Panel>; N];
}

/// Whether the fused kernel supports this tensor.
pub(crate) fn takes<const D: usize>(tensor: &Tensor<D>) -> bool {
    #[cfg(test)]
    if COMPOSED.get() {
        return false;
    }
    tensor.dtype() == DType::F32 && serves(&tensor.device())
}

/// Whether the fused kernel supports f32 tensors of this device.
pub(crate) fn serves(device: &Device) -> bool {
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Flex(_))
}

#[cfg(test)]
thread_local! {
    static COMPOSED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Runs `work` on this thread with every operation composed of burn's own operations.
#[cfg(test)]
pub(crate) fn composed<T>(work: impl FnOnce() -> T) -> T {
    COMPOSED.set(true);
    let value = work();
    COMPOSED.set(false);
    value
}

/// Converts an untracked tensor to a panel.
pub(crate) fn panel(tensor: Tensor<2>) -> Panel {
    match tensor.inner().try_into_primitive::<Flex>() {
        Ok(primitive) => Panel::of(primitive),
        Err(_) => unreachable!("a fused operation got a tensor of another backend"),
    }
}

/// Converts a panel to an untracked tensor.
pub(crate) fn tensor(panel: Panel) -> Tensor<2> {
    Tensor::from_primitive::<Flex>(panel.tensor)
}

/// Applies an operation to burn-flex tensors, tracked or not.
pub(crate) fn apply<const N: usize, O: FusedOp<N>>(op: O, inputs: [Tensor<2>; N]) -> Tensor<2> {
    if !inputs.iter().any(Tensor::is_autodiff) {
        let (value, _) = op.forward(inputs.map(panel), [false; N]);
        return tensor(value);
    }
    let tracked = inputs.each_ref().map(Tensor::is_tracked);
    let inputs = inputs.map(|input| match input.autodiff().try_into_primitive::<Autodiff<Flex>>() {
        Ok(primitive) => primitive,
        Err(_) => unreachable!("a fused operation got a tensor of another backend"),
    });
    let panels = inputs.each_ref().map(|input| Panel::of(input.primitive().clone()));
    let nodes = inputs.each_ref().map(|input| input.node());
    let value = match FusedBackward(op.clone()).prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => {
            let (value, saved) = op.forward(panels, tracked);
            prep.finish(saved, value.tensor)
        }
        OpsKind::UnTracked(prep) => {
            let (value, _) = op.forward(panels, tracked);
            prep.finish(value.tensor)
        }
    };
    Tensor::from_primitive::<Autodiff<Flex>>(value)
}

#[derive(Debug)]
struct FusedBackward<O>(O);

impl<const N: usize, O: FusedOp<N>> Backward<Flex, N> for FusedBackward<O> {
    type State = O::Saved;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = Panel::of(grads.consume::<Flex>(&ops.node));
        let tracked = ops.parents.each_ref().map(Option::is_some);
        let gradients = self.0.backward(ops.state, gradient, tracked);
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<Flex>(parent.id, gradient.tensor);
            }
        }
    }
}
