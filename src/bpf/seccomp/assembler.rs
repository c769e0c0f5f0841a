//! Writes a classic BPF program from its end to its beginning.
//!
//! Classic BPF jumps only forwards. If a program is written backwards, every target exists before the jumps to it: the
//! distance is known and no jump needs patching. A conditional jump has 8 bits for the distance. For a target that is
//! further away, the assembler inserts a copy of it (if it is a return) or a long jump. The assembler does not know
//! system calls.

use libc::sock_filter;

/// Instruction classes, modes and operations of `linux/bpf_common.h` that a seccomp filter may use.
const LD_W_ABS: u16 = 0x20;
const AND_K: u16 = 0x54;
const JA: u16 = 0x05;
const RET_K: u16 = 0x06;

/// A comparison of the accumulator with a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// `BPF_JEQ`
    Equal = 0x15,
    /// `BPF_JGT`, unsigned
    Greater = 0x25,
    /// `BPF_JGE`, unsigned
    GreaterOrEqual = 0x35,
}

/// An instruction that has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(usize);

/// Conditional jumps skip at most 255 instructions. Two are reserved for the jumps that `branch` may insert between
/// itself and its targets.
const REACH: usize = 253;

/// An unfinished program, last instruction first.
pub(super) struct Assembler {
    reversed: Vec<sock_filter>,
    /// The return of each value that was written last, which is the nearest.
    returns: Vec<(u32, Label)>,
}

impl Assembler {
    pub(super) fn new() -> Self {
        Assembler { reversed: Vec::with_capacity(512), returns: Vec::with_capacity(8) }
    }

    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) -> Label {
        self.reversed.push(sock_filter { code, jt, jf, k });
        Label(self.reversed.len() - 1)
    }

    /// The number of instructions between the next written one and the target.
    fn distance(&self, target: Label) -> usize {
        self.reversed.len() - 1 - target.0
    }

    /// Returns this value from the filter. Reuses an existing return of the value if it is within reach.
    pub(super) fn ret(&mut self, value: u32) -> Label {
        let known = self.returns.iter().position(|&(known, _)| known == value);
        if let Some(index) = known {
            let label = self.returns[index].1;
            if self.distance(label) <= REACH {
                return label;
            }
        }
        let label = self.push(RET_K, 0, 0, value);
        match known {
            Some(index) => self.returns[index].1 = label,
            None => self.returns.push((value, label)),
        }
        label
    }

    /// Returns the target if it is within reach; otherwise a copy of it or a jump to it.
    fn near(&mut self, target: Label) -> Label {
        let distance = self.distance(target);
        if distance <= REACH {
            return target;
        }
        let instruction = self.reversed[target.0];
        if instruction.code == RET_K { self.ret(instruction.k) } else { self.push(JA, 0, 0, distance as u32) }
    }

    /// Jumps to `yes` or to `no`. Writes no instruction if both are the same.
    pub(super) fn branch(&mut self, test: Test, constant: u32, yes: Label, no: Label) -> Label {
        if yes == no {
            return yes;
        }
        let (yes, no) = (self.near(yes), self.near(no));
        let (jt, jf) = (self.distance(yes), self.distance(no));
        self.push(test as u16, jt as u8, jf as u8, constant)
    }

    /// Makes `next` the instruction that runs after the one written next.
    fn fall_into(&mut self, next: Label) {
        let distance = self.distance(next);
        if distance > 0 {
            self.push(JA, 0, 0, distance as u32);
        }
    }

    /// Loads the 32 bit word at a byte offset of `struct seccomp_data`, then continues at `next`.
    pub(super) fn load(&mut self, offset: u32, next: Label) -> Label {
        self.fall_into(next);
        self.push(LD_W_ABS, 0, 0, offset)
    }

    /// Masks the accumulator, then continues at `next`. Writes no instruction if all bits of the mask are set.
    pub(super) fn and(&mut self, mask: u32, next: Label) -> Label {
        if mask == u32::MAX {
            return next;
        }
        self.fall_into(next);
        self.push(AND_K, 0, 0, mask)
    }

    /// Returns the program, in execution order.
    pub(super) fn finish(mut self) -> Vec<sock_filter> {
        self.reversed.reverse();
        self.reversed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bpf::interpreter::{Data, check, run};

    /// The ladder is so long that its first steps are out of reach of the last instructions.
    #[test]
    fn targets_out_of_reach_get_a_copy_or_a_long_jump() {
        let mut assembler = Assembler::new();
        let far = assembler.ret(7);
        let far = assembler.load(0, far);
        let mut ladder = assembler.ret(9);
        for number in (0..2000).rev() {
            let near = assembler.ret(number % 3);
            let target = if number % 2 == 0 { far } else { near };
            ladder = assembler.branch(Test::Equal, number, target, ladder);
        }
        let start = assembler.load(0, ladder);
        assert_eq!(start, Label(assembler.reversed.len() - 1));
        let program = assembler.finish();
        check(&program).expect("the kernel accepts the program");
        for number in 0..2001 {
            let expected = if number == 2000 {
                9
            } else if number % 2 == 0 {
                7
            } else {
                number % 3
            };
            assert_eq!(run(&program, &Data { number, ..Data::default() }), expected, "{number}");
        }
    }

    #[test]
    fn a_branch_with_equal_targets_writes_no_instruction() {
        let mut assembler = Assembler::new();
        let only = assembler.ret(1);
        assert_eq!(assembler.branch(Test::Greater, 5, only, only), only);
        assert_eq!(assembler.ret(1), only);
        assert_eq!(assembler.finish().len(), 1);
    }
}
