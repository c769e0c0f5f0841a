//! The architectures that a profile may name, and how a filter distinguishes them.
//!
//! This module only holds facts: values of `linux/audit.h` and properties of calling conventions.

use crate::bpf::syscalls;

/// An architecture of `linux.seccomp.architectures`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arch {
    X86,
    X86_64,
    X32,
    Arm,
    Aarch64,
    Mips,
    Mips64,
    Mips64N32,
    Mipsel,
    Mipsel64,
    Mipsel64N32,
    Ppc,
    Ppc64,
    Ppc64le,
    S390,
    S390x,
    Parisc,
    Parisc64,
    Riscv64,
    Loongarch64,
    M68k,
    Sh,
    Sheb,
}

/// Set in the number of every x32 call (`__X32_SYSCALL_BIT`). The audit architecture of x32 is that of x86_64.
pub(super) const X32_BIT: u32 = 0x4000_0000;

/// The bits of an audit architecture besides the ELF machine number (`linux/audit.h`).
const BIT64: u32 = 0x8000_0000;
const LITTLE: u32 = 0x4000_0000;
const N32: u32 = 0x2000_0000;

impl Arch {
    /// Every architecture with its name in a configuration, in the specification's order.
    pub(crate) const ALL: [(&'static str, Arch); 23] = [
        ("SCMP_ARCH_X86", Arch::X86),
        ("SCMP_ARCH_X86_64", Arch::X86_64),
        ("SCMP_ARCH_X32", Arch::X32),
        ("SCMP_ARCH_ARM", Arch::Arm),
        ("SCMP_ARCH_AARCH64", Arch::Aarch64),
        ("SCMP_ARCH_MIPS", Arch::Mips),
        ("SCMP_ARCH_MIPS64", Arch::Mips64),
        ("SCMP_ARCH_MIPS64N32", Arch::Mips64N32),
        ("SCMP_ARCH_MIPSEL", Arch::Mipsel),
        ("SCMP_ARCH_MIPSEL64", Arch::Mipsel64),
        ("SCMP_ARCH_MIPSEL64N32", Arch::Mipsel64N32),
        ("SCMP_ARCH_PPC", Arch::Ppc),
        ("SCMP_ARCH_PPC64", Arch::Ppc64),
        ("SCMP_ARCH_PPC64LE", Arch::Ppc64le),
        ("SCMP_ARCH_S390", Arch::S390),
        ("SCMP_ARCH_S390X", Arch::S390x),
        ("SCMP_ARCH_PARISC", Arch::Parisc),
        ("SCMP_ARCH_PARISC64", Arch::Parisc64),
        ("SCMP_ARCH_RISCV64", Arch::Riscv64),
        ("SCMP_ARCH_LOONGARCH64", Arch::Loongarch64),
        ("SCMP_ARCH_M68K", Arch::M68k),
        ("SCMP_ARCH_SH", Arch::Sh),
        ("SCMP_ARCH_SHEB", Arch::Sheb),
    ];

    /// The architecture this program was built for, which is also the container's first one.
    #[cfg(target_arch = "x86_64")]
    pub(crate) const NATIVE: Arch = Arch::X86_64;
    /// The architecture this program was built for, which is also the container's first one.
    #[cfg(target_arch = "aarch64")]
    pub(crate) const NATIVE: Arch = Arch::Aarch64;
    /// The architecture this program was built for, which is also the container's first one.
    #[cfg(target_arch = "riscv64")]
    pub(crate) const NATIVE: Arch = Arch::Riscv64;
    /// The architecture this program was built for, which is also the container's first one.
    #[cfg(target_arch = "loongarch64")]
    pub(crate) const NATIVE: Arch = Arch::Loongarch64;
    /// The architecture this program was built for, which is also the container's first one.
    #[cfg(target_arch = "s390x")]
    pub(crate) const NATIVE: Arch = Arch::S390x;
    /// The architecture this program was built for, which is also the container's first one.
    #[cfg(all(target_arch = "powerpc64", target_endian = "little"))]
    pub(crate) const NATIVE: Arch = Arch::Ppc64le;
    /// The architecture this program was built for, which is also the container's first one.
    #[cfg(all(target_arch = "powerpc64", target_endian = "big"))]
    pub(crate) const NATIVE: Arch = Arch::Ppc64;
    /// The architecture this program was built for, which is also the container's first one.
    #[cfg(target_arch = "arm")]
    pub(crate) const NATIVE: Arch = Arch::Arm;
    /// The architecture this program was built for, which is also the container's first one.
    #[cfg(target_arch = "x86")]
    pub(crate) const NATIVE: Arch = Arch::X86;

    /// The architecture of a name such as `SCMP_ARCH_X86_64`.
    pub(crate) fn from_name(name: &str) -> Option<Arch> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|&(_, arch)| arch)
    }

    /// `seccomp_data.arch` of a call made on this architecture (`AUDIT_ARCH_*`).
    pub(super) const fn audit(self) -> u32 {
        match self {
            Arch::X86 => 3 | LITTLE,
            Arch::X86_64 | Arch::X32 => 62 | BIT64 | LITTLE,
            Arch::Arm => 40 | LITTLE,
            Arch::Aarch64 => 183 | BIT64 | LITTLE,
            Arch::Mips => 8,
            Arch::Mips64 => 8 | BIT64,
            Arch::Mips64N32 => 8 | BIT64 | N32,
            Arch::Mipsel => 8 | LITTLE,
            Arch::Mipsel64 => 8 | BIT64 | LITTLE,
            Arch::Mipsel64N32 => 8 | BIT64 | LITTLE | N32,
            Arch::Ppc => 20,
            Arch::Ppc64 => 21 | BIT64,
            Arch::Ppc64le => 21 | BIT64 | LITTLE,
            Arch::S390 => 22,
            Arch::S390x => 22 | BIT64,
            Arch::Parisc => 15,
            Arch::Parisc64 => 15 | BIT64,
            Arch::Riscv64 => 243 | BIT64 | LITTLE,
            Arch::Loongarch64 => 258 | BIT64 | LITTLE,
            Arch::M68k => 4,
            Arch::Sh => 42 | LITTLE,
            Arch::Sheb => 42,
        }
    }

    /// The column of the table that holds this architecture's call numbers.
    pub(super) const fn column(self) -> usize {
        match self {
            Arch::X86 => syscalls::X86,
            Arch::X86_64 => syscalls::X86_64,
            Arch::X32 => syscalls::X32,
            Arch::Arm => syscalls::ARM,
            Arch::Aarch64 => syscalls::AARCH64,
            Arch::Mips | Arch::Mipsel => syscalls::MIPS_O32,
            Arch::Mips64 | Arch::Mipsel64 => syscalls::MIPS_N64,
            Arch::Mips64N32 | Arch::Mipsel64N32 => syscalls::MIPS_N32,
            Arch::Ppc => syscalls::PPC,
            Arch::Ppc64 | Arch::Ppc64le => syscalls::PPC64,
            Arch::S390 => syscalls::S390,
            Arch::S390x => syscalls::S390X,
            Arch::Parisc => syscalls::PARISC,
            Arch::Parisc64 => syscalls::PARISC64,
            Arch::Riscv64 => syscalls::RISCV64,
            Arch::Loongarch64 => syscalls::LOONGARCH64,
            Arch::M68k => syscalls::M68K,
            Arch::Sh | Arch::Sheb => syscalls::SH,
        }
    }

    /// Whether system call arguments are 64 bits wide. Calling conventions with 32 bit arguments in 64 bit registers
    /// (x32, n32) are not wide, because the kernel fills the upper half: with zero or with copies of the sign.
    pub(super) const fn wide(self) -> bool {
        !matches!(self, Arch::X32) && self.audit() & BIT64 != 0 && self.audit() & N32 == 0
    }

    /// Whether the architecture is little endian.
    pub(super) const fn little_endian(self) -> bool {
        self.audit() & LITTLE != 0
    }
}
