//! An allocator that knows how many bytes each group of threads has.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicI64, Ordering},
};

/// Counts what is allocated, by the group of the thread that allocates or frees.
pub(crate) struct Counting;

const GROUPS: usize = 8;

static BYTES: [AtomicI64; GROUPS] = [const { AtomicI64::new(0) }; GROUPS];

thread_local! {
    static GROUP: Cell<usize> = const { Cell::new(0) };
}

/// Counts this thread to a group from now on; every thread begins in group 0.
#[allow(dead_code)]
pub(crate) fn join(group: usize) {
    assert!(group < GROUPS, "there are {GROUPS} groups");
    GROUP.set(group);
}

/// What a group has allocated and not freed.
#[allow(dead_code)]
pub(crate) fn bytes(group: usize) -> i64 {
    BYTES[group].load(Ordering::Relaxed)
}

/// What the process has allocated and not freed.
#[allow(dead_code)]
pub(crate) fn total() -> i64 {
    (0..GROUPS).map(bytes).sum()
}

fn count(bytes: i64) {
    // A thread that ends has no group any more.
    let group = GROUP.try_with(Cell::get).unwrap_or(0);
    BYTES[group].fetch_add(bytes, Ordering::Relaxed);
}

// SAFETY: everything is the system allocator's; counting allocates nothing.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as i64 - layout.size() as i64);
        unsafe { System.realloc(pointer, layout, size) }
    }
}
