//! An allocator that counts, over the system's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(octets: usize) {
    // A thread that ends has no counter any more, and nothing to count.
    let _ended = COUNT.try_with(|count| count.set(count.get() + 1));
    let _ended = LARGEST.try_with(|largest| largest.set(largest.get().max(octets)));
}

#[expect(
    unsafe_code,
    reason = "the trait is unsafe; every method hands its arguments to the system's allocator"
)]
// SAFETY: each method upholds the contract because `System` does, and counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, handed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller's promise, handed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// The Rust allocations of one call, on average over many, on this thread.
pub(crate) fn allocations_of(mut run: impl FnMut()) -> f64 {
    const CALLS: u32 = 100;
    run();
    let before = COUNT.get();
    for _call in 0..CALLS {
        run();
    }
    let allocations = u32::try_from(COUNT.get() - before).expect("few");
    f64::from(allocations) / f64::from(CALLS)
}

/// The octets of the largest Rust allocation of one call, on this thread.
pub(crate) fn largest_of(run: impl FnOnce()) -> usize {
    LARGEST.set(0);
    run();
    LARGEST.get()
}
