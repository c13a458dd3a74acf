//! How binaries that train should hold memory. Large tensors come and go every step; an allocator
//! that gives their pages back pays a page fault for each of them again.

/// The allocator for binaries that use a learner.
pub type Allocator = mimalloc::MiMalloc;

/// Tells mimalloc to keep freed pages. Call it first in `main` of a binary whose global allocator
/// is [`Allocator`]; elsewhere it changes nothing. `MIMALLOC_PURGE_DELAY` in the environment wins.
pub fn keep_freed_pages() {
    /// `mi_option_purge_delay` of mimalloc's `mi_option_t`.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    // SAFETY: sets a number inside mimalloc; -1 means "never purge".
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, -1) };
}
