//! The functions of the core. They exist in WebAssembly only; native code, such as a test, may install a [`NativeHost`].

pub use crate::bindings::cadre::method::diagnostics::Level;
pub use crate::bindings::cadre::method::tensors::{Kind, Operation};

/// What takes the place of the core in native code.
#[cfg(not(target_arch = "wasm32"))]
pub trait NativeHost {
    /// Applies an operation to tensors, given by their numbers.
    ///
    /// # Errors
    /// The operation, the shapes, and what does not fit.
    fn apply(&mut self, operation: &Operation, args: &[u32]) -> Result<Vec<u32>, String>;
    /// Shape of a tensor.
    fn shape(&mut self, of: u32) -> Vec<u32>;
    /// Kind of a tensor.
    fn kind(&mut self, of: u32) -> Kind;
    /// A fact.
    ///
    /// # Errors
    /// The facts that are known.
    fn fact(&mut self, name: &str) -> Result<String, String>;
}

#[cfg(target_arch = "wasm32")]
mod core {
    use super::{Kind, Level, Operation};
    use crate::bindings::cadre::method::{diagnostics, facts, tensors};

    pub(crate) fn apply(operation: &Operation, args: &[u32]) -> Result<Vec<u32>, String> {
        tensors::apply(operation, args)
    }

    pub(crate) fn shape(of: u32) -> Vec<u32> {
        tensors::shape(of)
    }

    pub(crate) fn kind(of: u32) -> Kind {
        tensors::kind_of(of)
    }

    pub(crate) fn fact(name: &str) -> Result<String, String> {
        facts::fact(name)
    }

    /// Sends a message to the researcher.
    pub fn log(level: Level, message: &str) {
        diagnostics::log(level, message);
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod core {
    use std::cell::RefCell;

    use super::{Kind, Level, NativeHost, Operation};

    thread_local! {
        static HOST: RefCell<Option<Box<dyn NativeHost>>> = const { RefCell::new(None) };
    }

    /// Sets the host of this thread and returns the one before it.
    pub fn install(host: Option<Box<dyn NativeHost>>) -> Option<Box<dyn NativeHost>> {
        HOST.replace(host)
    }

    #[track_caller]
    fn with<T>(call: impl FnOnce(&mut dyn NativeHost) -> T) -> T {
        HOST.with_borrow_mut(|host| match host {
            Some(host) => call(host.as_mut()),
            None => panic!(
                "tensors exist only in a component that the core runs; a native test must first call `host::install`"
            ),
        })
    }

    #[track_caller]
    pub(crate) fn apply(operation: &Operation, args: &[u32]) -> Result<Vec<u32>, String> {
        with(|host| host.apply(operation, args))
    }

    #[track_caller]
    pub(crate) fn shape(of: u32) -> Vec<u32> {
        with(|host| host.shape(of))
    }

    #[track_caller]
    pub(crate) fn kind(of: u32) -> Kind {
        with(|host| host.kind(of))
    }

    #[track_caller]
    pub(crate) fn fact(name: &str) -> Result<String, String> {
        with(|host| host.fact(name))
    }

    /// Sends a message to the researcher: natively, to standard error.
    pub fn log(level: Level, message: &str) {
        eprintln!("{level:?}: {message}");
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub use core::install;
pub use core::log;
pub(crate) use core::{apply, kind, shape};

/// A fact about where the hook is called: `layer`, `layers`, `target`, `tensor`, `task`, `tasks` or `name`. Asking for a
/// fact makes the traced program specific to it.
///
/// # Errors
/// The fact is not known in this call; the message lists those that are.
pub fn fact(name: &str) -> Result<String, String> {
    core::fact(name)
}

/// A fact that is a whole number, such as `layer`.
///
/// # Errors
/// The fact is not known in this call, or is not a number.
pub fn fact_number(name: &str) -> Result<u32, String> {
    let text = fact(name)?;
    text.parse().map_err(|_| format!("the fact `{name}` is {text:?}, expected a whole number"))
}
