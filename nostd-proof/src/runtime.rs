//! What libc and std do otherwise: start, exit, print, allocate, copy.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::{asm, naked_asm};
use core::cell::UnsafeCell;
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Where the kernel enters: aligns the stack as the ABI demands, then runs the program.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    naked_asm!(
        "xor ebp, ebp",
        "and rsp, -16",
        "call {run}",
        "ud2",
        run = sym run,
    )
}

extern "C" fn run() -> ! {
    crate::uses::all();
    exit(0)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Output, "nostd-proof: {info}");
    exit(101)
}

/// Named by the precompiled core and alloc; never called, as panics abort.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// Named by the precompiled core and alloc; never called, as panics abort.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    exit(102)
}

/// Standard output, unbuffered.
pub struct Output;

impl Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        const WRITE: usize = 1;
        // SAFETY: write(1, text, len) reads `len` bytes at `text`, which is a valid slice.
        unsafe { syscall(WRITE, 1, text.as_ptr() as usize, text.len()) };
        Ok(())
    }
}

fn exit(status: usize) -> ! {
    const EXIT_GROUP: usize = 231;
    // SAFETY: ends the process; nothing is touched afterwards.
    unsafe { syscall(EXIT_GROUP, status, 0, 0) };
    unreachable!("exit_group does not return")
}

/// # Safety
/// The arguments must be what the system call `number` of x86-64 Linux expects.
unsafe fn syscall(number: usize, a: usize, b: usize, c: usize) -> usize {
    let result;
    // SAFETY: the kernel preserves all registers but rax, rcx and r11; the caller vouches for the rest.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Memory for everything the proof allocates; untouched pages cost nothing.
const HEAP_LEN: usize = 512 << 20;

#[repr(align(4096))]
struct Heap(UnsafeCell<[u8; HEAP_LEN]>);

// SAFETY: `Bump` hands out each byte at most once.
unsafe impl Sync for Heap {}

static HEAP: Heap = Heap(UnsafeCell::new([0; HEAP_LEN]));

/// Hands out memory from the start of the heap to its end and takes none back.
struct Bump(AtomicUsize);

#[global_allocator]
static ALLOCATOR: Bump = Bump(AtomicUsize::new(0));

// SAFETY: regions are aligned, inside the heap, and never overlap, as `next` only grows.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self
            .0
            .load(Ordering::Relaxed)
            .next_multiple_of(layout.align());
        let end = start.saturating_add(layout.size());
        if layout.align() > 4096 || end > HEAP_LEN {
            return core::ptr::null_mut();
        }
        self.0.store(end, Ordering::Relaxed);
        // SAFETY: `start` is inside the heap.
        unsafe { HEAP.0.get().cast::<u8>().add(start) }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

/// # Safety
/// As the C function of this name.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // Assembly, because the compiler would turn a loop into a call of memcpy.
    // SAFETY: the caller vouches for both regions.
    unsafe {
        asm!("rep movsb", inout("rcx") len => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
    to
}

/// # Safety
/// As the C function of this name.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= len {
        // SAFETY: copying upwards overwrites no byte before it is read.
        return unsafe { memcpy(to, from, len) };
    }
    // SAFETY: the caller vouches for both regions; copying downwards overwrites no byte before it is read.
    unsafe {
        asm!("std", "rep movsb", "cld",
            inout("rcx") len => _,
            inout("rdi") to.wrapping_add(len).wrapping_sub(1) => _,
            inout("rsi") from.wrapping_add(len).wrapping_sub(1) => _,
            options(nostack));
    }
    to
}

/// # Safety
/// As the C function of this name.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    // SAFETY: the caller vouches for the region.
    unsafe {
        asm!("rep stosb", inout("rcx") len => _, inout("rdi") to => _, in("al") byte as u8,
            options(nostack, preserves_flags));
    }
    to
}

/// # Safety
/// As the C function of this name.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    for at in 0..len {
        // SAFETY: the caller vouches for both regions.
        let (a, b) = unsafe { (*a.add(at), *b.add(at)) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

/// # Safety
/// As the C function of this name.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    // SAFETY: same contract.
    unsafe { memcmp(a, b, len) }
}
