//! System call numbers of every architecture that the specification names, sorted by name.
//!
//! Written by `hack/syscalls` from the kernel's UAPI headers; do not edit.

pub(in crate::bpf) const X86: usize = 0;
pub(in crate::bpf) const X86_64: usize = 1;
pub(in crate::bpf) const X32: usize = 2;
pub(in crate::bpf) const ARM: usize = 3;
pub(in crate::bpf) const AARCH64: usize = 4;
pub(in crate::bpf) const MIPS_O32: usize = 5;
pub(in crate::bpf) const MIPS_N64: usize = 6;
pub(in crate::bpf) const MIPS_N32: usize = 7;
pub(in crate::bpf) const PPC: usize = 8;
pub(in crate::bpf) const PPC64: usize = 9;
pub(in crate::bpf) const S390: usize = 10;
pub(in crate::bpf) const S390X: usize = 11;
pub(in crate::bpf) const PARISC: usize = 12;
pub(in crate::bpf) const PARISC64: usize = 13;
pub(in crate::bpf) const RISCV64: usize = 14;
pub(in crate::bpf) const LOONGARCH64: usize = 15;
pub(in crate::bpf) const M68K: usize = 16;
pub(in crate::bpf) const SH: usize = 17;
pub(super) const COLUMNS: usize = 18;
pub(super) const CALLS: usize = 518;

/// All names, one after another.
#[rustfmt::skip]
pub(super) static NAMES: &str = "\
_llseek_newselect_sysctlacceptaccept4accessacctadd_keyadjtimexafs_syscallalarmarch_prctlarm_fadvise64_64arm_sy\
nc_file_rangeatomic_barrieratomic_cmpxchg_32bdflushbindbpfbreakbreakpointbrkcachectlcacheflushcachestatcapgetc\
apsetchdirchmodchownchown32chrootclock_adjtimeclock_adjtime64clock_getresclock_getres_time64clock_gettimeclock\
_gettime64clock_nanosleepclock_nanosleep_time64clock_settimeclock_settime64cloneclone3closeclose_rangeconnectc\
opy_file_rangecreatcreate_moduledelete_moduledupdup2dup3epoll_createepoll_create1epoll_ctlepoll_ctl_oldepoll_p\
waitepoll_pwait2epoll_waitepoll_wait_oldeventfdeventfd2execveexecveatexitexit_groupfaccessatfaccessat2fadvise6\
4fadvise64_64fallocatefanotify_initfanotify_markfchdirfchmodfchmodatfchmodat2fchownfchown32fchownatfcntlfcntl6\
4fdatasyncfgetxattrfile_getattrfile_setattrfinit_moduleflistxattrflockforkfremovexattrfsconfigfsetxattrfsmount\
fsopenfspickfstatfstat64fstatat64fstatfsfstatfs64fsyncftimeftruncateftruncate64futexfutex_requeuefutex_time64f\
utex_waitfutex_waitvfutex_wakefutimesatget_kernel_symsget_mempolicyget_robust_listget_thread_areaget_tlsgetcpu\
getcwdgetdentsgetdents64getegidgetegid32geteuidgeteuid32getgidgetgid32getgroupsgetgroups32getitimergetpagesize\
getpeernamegetpgidgetpgrpgetpidgetpmsggetppidgetprioritygetrandomgetresgidgetresgid32getresuidgetresuid32getrl\
imitgetrusagegetsidgetsocknamegetsockoptgettidgettimeofdaygetuidgetuid32getxattrgetxattratgttyidleinit_modulei\
notify_add_watchinotify_initinotify_init1inotify_rm_watchio_cancelio_destroyio_geteventsio_pgeteventsio_pgetev\
ents_time64io_setupio_submitio_uring_enterio_uring_registerio_uring_setupioctliopermioplioprio_getioprio_setip\
ckcmpkexec_file_loadkexec_loadkeyctlkilllandlock_add_rulelandlock_create_rulesetlandlock_restrict_selflchownlc\
hown32lgetxattrlinklinkatlistenlistmountlistnslistxattrlistxattratllistxattrlocklookup_dcookielremovexattrlsee\
klsetxattrlsm_get_self_attrlsm_list_moduleslsm_set_self_attrlstatlstat64madvisemap_shadow_stackmbindmembarrier\
memfd_creatememfd_secretmigrate_pagesmincoremkdirmkdiratmknodmknodatmlockmlock2mlockallmmapmmap2modify_ldtmoun\
tmount_setattrmove_mountmove_pagesmprotectmpxmq_getsetattrmq_notifymq_openmq_timedreceivemq_timedreceive_time6\
4mq_timedsendmq_timedsend_time64mq_unlinkmremapmsealmsgctlmsggetmsgrcvmsgsndmsyncmultiplexermunlockmunlockallm\
unmapname_to_handle_atnanosleepnewfstatatnfsservctlniceoldfstatoldlstatoldoldunameoldstatoldunameopenopen_by_h\
andle_atopen_treeopen_tree_attropenatopenat2pausepciconfig_iobasepciconfig_readpciconfig_writeperf_event_openp\
ersonalitypidfd_getfdpidfd_openpidfd_send_signalpipepipe2pivot_rootpkey_allocpkey_freepkey_mprotectpollppollpp\
oll_time64prctlpread64preadvpreadv2prlimit64process_madviseprocess_mreleaseprocess_vm_readvprocess_vm_writevpr\
ofprofilpselect6pselect6_time64ptraceputpmsgpwrite64pwritevpwritev2query_modulequotactlquotactl_fdreadreadahea\
dreaddirreadlinkreadlinkatreadvrebootrecvrecvfromrecvmmsgrecvmmsg_time64recvmsgremap_file_pagesremovexattrremo\
vexattratrenamerenameatrenameat2request_keyreserved177reserved193reserved221reserved82restart_syscallriscv_flu\
sh_icacheriscv_hwprobermdirrseqrseq_slice_yieldrt_sigactionrt_sigpendingrt_sigprocmaskrt_sigqueueinfort_sigret\
urnrt_sigsuspendrt_sigtimedwaitrt_sigtimedwait_time64rt_tgsigqueueinfortass390_guarded_storages390_pci_mmio_re\
ads390_pci_mmio_writes390_runtime_instrs390_sthyisched_get_priority_maxsched_get_priority_minsched_getaffinity\
sched_getattrsched_getparamsched_getschedulersched_rr_get_intervalsched_rr_get_interval_time64sched_setaffinit\
ysched_setattrsched_setparamsched_setschedulersched_yieldseccompsecurityselectsemctlsemgetsemopsemtimedopsemti\
medop_time64sendsendfilesendfile64sendmmsgsendmsgsendtoset_mempolicyset_mempolicy_home_nodeset_robust_listset_\
thread_areaset_tid_addressset_tlssetdomainnamesetfsgidsetfsgid32setfsuidsetfsuid32setgidsetgid32setgroupssetgr\
oups32sethostnamesetitimersetnssetpgidsetprioritysetregidsetregid32setresgidsetresgid32setresuidsetresuid32set\
reuidsetreuid32setrlimitsetsidsetsockoptsettimeofdaysetuidsetuid32setxattrsetxattratsgetmaskshmatshmctlshmdtsh\
mgetshutdownsigactionsigaltstacksignalsignalfdsignalfd4sigpendingsigprocmasksigreturnsigsuspendsocketsocketcal\
lsocketpairsplicespu_createspu_runssetmaskstatstat64statfsstatfs64statmountstatxstimesttysubpage_protswapconte\
xtswapoffswaponswitch_endiansymlinksymlinkatsyncsync_file_rangesync_file_range2syncfssys_debug_setcontextsysca\
llsysfssysinfosyslogsysmipsteetgkilltimetimer_createtimer_deletetimer_getoverruntimer_gettimetimer_gettime64ti\
mer_settimetimer_settime64timerfdtimerfd_createtimerfd_gettimetimerfd_gettime64timerfd_settimetimerfd_settime6\
4timestkilltruncatetruncate64tuxcallugetrlimitulimitumaskumountumount2unameunlinkunlinkatunshareunused109unuse\
d150unused18unused28unused59unused84uprobeuretprobeuselibuserfaultfdusr26usr32ustatutimeutimensatutimensat_tim\
e64utimesvforkvhangupvm86vm86oldvmsplicevserverwait4waitidwaitpidwritewritev\
";

/// Where each name ends in `NAMES`.
#[rustfmt::skip]
pub(super) static ENDS: [u16; CALLS] = [
    7, 17, 24, 30, 37, 43, 47, 54, 62, 73, 78, 88, 104, 123, 137, 154, 161, 165,
    168, 173, 183, 186, 194, 204, 213, 219, 225, 230, 235, 240, 247, 253, 266, 281, 293, 312,
    325, 340, 355, 377, 390, 405, 410, 416, 421, 432, 439, 454, 459, 472, 485, 488, 492, 496,
    508, 521, 530, 543, 554, 566, 576, 590, 597, 605, 611, 619, 623, 633, 642, 652, 661, 673,
    682, 695, 708, 714, 720, 728, 737, 743, 751, 759, 764, 771, 780, 789, 801, 813, 825, 835,
    840, 844, 856, 864, 873, 880, 886, 892, 897, 904, 913, 920, 929, 934, 939, 948, 959, 964,
    977, 989, 999, 1010, 1020, 1029, 1044, 1057, 1072, 1087, 1094, 1100, 1106, 1114, 1124, 1131, 1140, 1147,
    1156, 1162, 1170, 1179, 1190, 1199, 1210, 1221, 1228, 1235, 1241, 1248, 1255, 1266, 1275, 1284, 1295, 1304,
    1315, 1324, 1333, 1339, 1350, 1360, 1366, 1378, 1384, 1392, 1400, 1410, 1414, 1418, 1429, 1446, 1458, 1471,
    1487, 1496, 1506, 1518, 1531, 1551, 1559, 1568, 1582, 1599, 1613, 1618, 1624, 1628, 1638, 1648, 1651, 1655,
    1670, 1680, 1686, 1690, 1707, 1730, 1752, 1758, 1766, 1775, 1779, 1785, 1791, 1800, 1806, 1815, 1826, 1836,
    1840, 1854, 1866, 1871, 1880, 1897, 1913, 1930, 1935, 1942, 1949, 1965, 1970, 1980, 1992, 2004, 2017, 2024,
    2029, 2036, 2041, 2048, 2053, 2059, 2067, 2071, 2076, 2086, 2091, 2104, 2114, 2124, 2132, 2135, 2148, 2157,
    2164, 2179, 2201, 2213, 2232, 2241, 2247, 2252, 2258, 2264, 2270, 2276, 2281, 2292, 2299, 2309, 2315, 2332,
    2341, 2351, 2361, 2365, 2373, 2381, 2392, 2399, 2407, 2411, 2428, 2437, 2451, 2457, 2464, 2469, 2485, 2499,
    2514, 2529, 2540, 2551, 2561, 2578, 2582, 2587, 2597, 2607, 2616, 2629, 2633, 2638, 2650, 2655, 2662, 2668,
    2675, 2684, 2699, 2715, 2731, 2748, 2752, 2758, 2766, 2781, 2787, 2794, 2802, 2809, 2817, 2829, 2837, 2848,
    2852, 2861, 2868, 2876, 2886, 2891, 2897, 2901, 2909, 2917, 2932, 2939, 2955, 2966, 2979, 2985, 2993, 3002,
    3013, 3024, 3035, 3046, 3056, 3071, 3089, 3102, 3107, 3111, 3127, 3139, 3152, 3166, 3181, 3193, 3206, 3221,
    3243, 3260, 3264, 3284, 3302, 3321, 3339, 3349, 3371, 3393, 3410, 3423, 3437, 3455, 3476, 3504, 3521, 3534,
    3548, 3566, 3577, 3584, 3592, 3598, 3604, 3610, 3615, 3625, 3642, 3646, 3654, 3664, 3672, 3679, 3685, 3698,
    3721, 3736, 3751, 3766, 3773, 3786, 3794, 3804, 3812, 3822, 3828, 3836, 3845, 3856, 3867, 3876, 3881, 3888,
    3899, 3907, 3917, 3926, 3937, 3946, 3957, 3965, 3975, 3984, 3990, 4000, 4012, 4018, 4026, 4034, 4044, 4052,
    4057, 4063, 4068, 4074, 4082, 4091, 4102, 4108, 4116, 4125, 4135, 4146, 4155, 4165, 4171, 4181, 4191, 4197,
    4207, 4214, 4222, 4226, 4232, 4238, 4246, 4255, 4260, 4265, 4269, 4281, 4292, 4299, 4305, 4318, 4325, 4334,
    4338, 4353, 4369, 4375, 4395, 4402, 4407, 4414, 4420, 4427, 4430, 4436, 4440, 4452, 4464, 4480, 4493, 4508,
    4521, 4536, 4543, 4557, 4572, 4589, 4604, 4621, 4626, 4631, 4639, 4649, 4656, 4666, 4672, 4677, 4683, 4690,
    4695, 4701, 4709, 4716, 4725, 4734, 4742, 4750, 4758, 4766, 4772, 4781, 4787, 4798, 4803, 4808, 4813, 4818,
    4827, 4843, 4849, 4854, 4861, 4865, 4872, 4880, 4887, 4892, 4898, 4905, 4910, 4916,
];

/// The numbers of each call, one column per architecture; 0xffff if the architecture does not have the call.
#[rustfmt::skip]
pub(super) static NUMBERS: [[u16; COLUMNS]; CALLS] = [
    [140,0xffff,0xffff,140,0xffff,4140,0xffff,0xffff,140,140,140,0xffff,140,0xffff,0xffff,0xffff,140,140], // _llseek
    [142,0xffff,0xffff,142,0xffff,4142,5022,6022,142,142,142,0xffff,142,142,0xffff,0xffff,142,142], // _newselect
    [149,156,0xffff,149,0xffff,4153,5152,6152,149,149,149,149,149,149,0xffff,0xffff,149,149], // _sysctl
    [0xffff,43,43,285,202,4168,5042,6042,330,330,0xffff,0xffff,35,35,202,202,0xffff,344], // accept
    [364,288,288,366,242,4334,5293,6297,344,344,364,364,320,320,242,242,361,358], // accept4
    [33,21,21,33,0xffff,4033,5020,6020,33,33,33,33,33,33,0xffff,0xffff,33,33], // access
    [51,163,163,51,89,4051,5158,6158,51,51,51,51,51,51,89,89,51,51], // acct
    [286,248,248,309,217,4280,5239,6243,269,269,278,278,264,264,217,217,279,285], // add_key
    [124,159,159,124,171,4124,5154,6154,124,124,124,124,124,124,171,171,124,124], // adjtimex
    [137,183,183,0xffff,0xffff,4137,5176,6176,137,137,137,137,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // afs_syscall
    [27,37,37,0xffff,0xffff,4027,5037,6037,27,27,27,27,27,27,0xffff,0xffff,27,27], // alarm
    [384,158,158,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // arch_prctl
    [0xffff,0xffff,0xffff,270,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // arm_fadvise64_64
    [0xffff,0xffff,0xffff,341,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // arm_sync_file_range
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,336,0xffff], // atomic_barrier
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,335,0xffff], // atomic_cmpxchg_32
    [134,0xffff,0xffff,134,0xffff,4134,0xffff,0xffff,134,134,134,134,134,134,0xffff,0xffff,134,134], // bdflush
    [361,49,49,282,200,4169,5048,6048,327,327,361,361,22,22,200,200,358,341], // bind
    [357,321,321,386,280,4355,5315,6319,361,361,351,351,341,341,280,280,354,375], // bpf
    [17,0xffff,0xffff,0xffff,0xffff,4017,0xffff,0xffff,17,17,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // break
    [0xffff,0xffff,0xffff,61441,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // breakpoint
    [45,12,12,45,214,4045,5012,6012,45,45,45,45,45,45,214,214,45,45], // brk
    [0xffff,0xffff,0xffff,0xffff,0xffff,4148,5198,6198,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // cachectl
    [0xffff,0xffff,0xffff,61442,0xffff,4147,5197,6197,0xffff,0xffff,0xffff,0xffff,356,356,0xffff,0xffff,123,123], // cacheflush
    [451,451,451,451,451,4451,5451,6451,451,451,451,451,451,451,451,451,451,451], // cachestat
    [184,125,125,184,90,4204,5123,6123,183,183,184,184,106,106,90,90,184,184], // capget
    [185,126,126,185,91,4205,5124,6124,184,184,185,185,107,107,91,91,185,185], // capset
    [12,80,80,12,49,4012,5078,6078,12,12,12,12,12,12,49,49,12,12], // chdir
    [15,90,90,15,0xffff,4015,5088,6088,15,15,15,15,15,15,0xffff,0xffff,15,15], // chmod
    [182,92,92,182,0xffff,4202,5090,6090,181,181,182,212,180,180,0xffff,0xffff,16,182], // chown
    [212,0xffff,0xffff,212,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,212,0xffff,0xffff,0xffff,0xffff,0xffff,198,212], // chown32
    [61,161,161,61,51,4061,5156,6156,61,61,61,61,61,61,51,51,61,61], // chroot
    [343,305,305,372,266,4341,5300,6305,347,347,337,337,324,324,266,266,342,361], // clock_adjtime
    [405,0xffff,0xffff,405,0xffff,4405,0xffff,6405,405,0xffff,405,0xffff,405,0xffff,0xffff,0xffff,405,405], // clock_adjtime64
    [266,229,229,264,114,4264,5223,6227,247,247,261,261,257,257,114,114,261,266], // clock_getres
    [406,0xffff,0xffff,406,0xffff,4406,0xffff,6406,406,0xffff,406,0xffff,406,0xffff,0xffff,0xffff,406,406], // clock_getres_time64
    [265,228,228,263,113,4263,5222,6226,246,246,260,260,256,256,113,113,260,265], // clock_gettime
    [403,0xffff,0xffff,403,0xffff,4403,0xffff,6403,403,0xffff,403,0xffff,403,0xffff,0xffff,0xffff,403,403], // clock_gettime64
    [267,230,230,265,115,4265,5224,6228,248,248,262,262,258,258,115,115,262,267], // clock_nanosleep
    [407,0xffff,0xffff,407,0xffff,4407,0xffff,6407,407,0xffff,407,0xffff,407,0xffff,0xffff,0xffff,407,407], // clock_nanosleep_time64
    [264,227,227,262,112,4262,5221,6225,245,245,259,259,255,255,112,112,259,264], // clock_settime
    [404,0xffff,0xffff,404,0xffff,4404,0xffff,6404,404,0xffff,404,0xffff,404,0xffff,0xffff,0xffff,404,404], // clock_settime64
    [120,56,56,120,220,4120,5055,6055,120,120,120,120,120,120,220,220,120,120], // clone
    [435,435,435,435,435,4435,5435,6435,435,435,435,435,435,435,435,435,435,0xffff], // clone3
    [6,3,3,6,57,4006,5003,6003,6,6,6,6,6,6,57,57,6,6], // close
    [436,436,436,436,436,4436,5436,6436,436,436,436,436,436,436,436,436,436,436], // close_range
    [362,42,42,283,203,4170,5041,6041,328,328,362,362,31,31,203,203,359,342], // connect
    [377,326,326,391,285,4360,5320,6324,379,379,375,375,346,346,285,285,376,380], // copy_file_range
    [8,85,85,8,0xffff,4008,5083,6083,8,8,8,8,8,8,0xffff,0xffff,8,8], // creat
    [127,174,0xffff,0xffff,0xffff,4127,5167,6167,127,127,127,127,0xffff,0xffff,0xffff,0xffff,127,0xffff], // create_module
    [129,176,176,129,106,4129,5169,6169,129,129,129,129,129,129,106,106,129,129], // delete_module
    [41,32,32,41,23,4041,5031,6031,41,41,41,41,41,41,23,23,41,41], // dup
    [63,33,33,63,0xffff,4063,5032,6032,63,63,63,63,63,63,0xffff,0xffff,63,63], // dup2
    [330,292,292,358,24,4327,5286,6290,316,316,326,326,312,312,24,24,326,330], // dup3
    [254,213,213,250,0xffff,4248,5207,6207,236,236,249,249,224,224,0xffff,0xffff,249,254], // epoll_create
    [329,291,291,357,20,4326,5285,6289,315,315,327,327,311,311,20,20,325,329], // epoll_create1
    [255,233,233,251,21,4249,5208,6208,237,237,250,250,225,225,21,21,250,255], // epoll_ctl
    [0xffff,214,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // epoll_ctl_old
    [319,281,281,346,22,4313,5272,6276,303,303,312,312,297,297,22,22,315,319], // epoll_pwait
    [441,441,441,441,441,4441,5441,6441,441,441,441,441,441,441,441,441,441,441], // epoll_pwait2
    [256,232,232,252,0xffff,4250,5209,6209,238,238,251,251,226,226,0xffff,0xffff,251,256], // epoll_wait
    [0xffff,215,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // epoll_wait_old
    [323,284,284,351,0xffff,4319,5278,6282,307,307,318,318,304,304,0xffff,0xffff,319,323], // eventfd
    [328,290,290,356,19,4325,5284,6288,314,314,323,323,310,310,19,19,324,328], // eventfd2
    [11,59,520,11,221,4011,5057,6057,11,11,11,11,11,11,221,221,11,11], // execve
    [358,322,545,387,281,4356,5316,6320,362,362,354,354,342,342,281,281,355,376], // execveat
    [1,60,60,1,93,4001,5058,6058,1,1,1,1,1,1,93,93,1,1], // exit
    [252,231,231,248,94,4246,5205,6205,234,234,248,248,222,222,94,94,247,252], // exit_group
    [307,269,269,334,48,4300,5259,6263,298,298,300,300,287,287,48,48,300,307], // faccessat
    [439,439,439,439,439,4439,5439,6439,439,439,439,439,439,439,439,439,439,439], // faccessat2
    [250,221,221,0xffff,223,4254,5215,6216,233,233,253,253,0xffff,0xffff,223,223,246,250], // fadvise64
    [272,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,254,0xffff,264,0xffff,236,236,0xffff,0xffff,267,272], // fadvise64_64
    [324,285,285,352,47,4320,5279,6283,309,309,314,314,305,305,47,47,320,324], // fallocate
    [338,300,300,367,262,4336,5295,6300,323,323,332,332,322,322,262,262,337,337], // fanotify_init
    [339,301,301,368,263,4337,5296,6301,324,324,333,333,323,323,263,263,338,338], // fanotify_mark
    [133,81,81,133,50,4133,5079,6079,133,133,133,133,133,133,50,50,133,133], // fchdir
    [94,91,91,94,52,4094,5089,6089,94,94,94,94,94,94,52,52,94,94], // fchmod
    [306,268,268,333,53,4299,5258,6262,297,297,299,299,286,286,53,53,299,306], // fchmodat
    [452,452,452,452,452,4452,5452,6452,452,452,452,452,452,452,452,452,452,452], // fchmodat2
    [95,93,93,95,55,4095,5091,6091,95,95,95,207,95,95,55,55,95,95], // fchown
    [207,0xffff,0xffff,207,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,207,0xffff,0xffff,0xffff,0xffff,0xffff,207,207], // fchown32
    [298,260,260,325,54,4291,5250,6254,289,289,291,291,278,278,54,54,291,298], // fchownat
    [55,72,72,55,25,4055,5070,6070,55,55,55,55,55,55,25,25,55,55], // fcntl
    [221,0xffff,0xffff,221,0xffff,4220,0xffff,6212,204,0xffff,221,0xffff,202,202,0xffff,0xffff,239,221], // fcntl64
    [148,75,75,148,83,4152,5073,6073,148,148,148,148,148,148,83,83,148,148], // fdatasync
    [231,193,193,231,10,4229,5185,6185,214,214,229,229,243,243,10,10,228,231], // fgetxattr
    [468,468,468,468,468,4468,5468,6468,468,468,468,468,468,468,468,468,468,468], // file_getattr
    [469,469,469,469,469,4469,5469,6469,469,469,469,469,469,469,469,469,469,469], // file_setattr
    [350,313,313,379,273,4348,5307,6312,353,353,344,344,333,333,273,273,348,368], // finit_module
    [234,196,196,234,13,4232,5188,6188,217,217,232,232,246,246,13,13,231,234], // flistxattr
    [143,73,73,143,32,4143,5071,6071,143,143,143,143,143,143,32,32,143,143], // flock
    [2,57,57,2,0xffff,4002,5056,6056,2,2,2,2,2,2,0xffff,0xffff,2,2], // fork
    [237,199,199,237,16,4235,5191,6191,220,220,235,235,249,249,16,16,234,237], // fremovexattr
    [431,431,431,431,431,4431,5431,6431,431,431,431,431,431,431,431,431,431,431], // fsconfig
    [228,190,190,228,7,4226,5182,6182,211,211,226,226,240,240,7,7,225,228], // fsetxattr
    [432,432,432,432,432,4432,5432,6432,432,432,432,432,432,432,432,432,432,432], // fsmount
    [430,430,430,430,430,4430,5430,6430,430,430,430,430,430,430,430,430,430,430], // fsopen
    [433,433,433,433,433,4433,5433,6433,433,433,433,433,433,433,433,433,433,433], // fspick
    [108,5,5,108,80,4108,5005,6005,108,108,108,108,28,28,80,80,108,108], // fstat
    [197,0xffff,0xffff,197,0xffff,4215,0xffff,0xffff,197,0xffff,197,0xffff,112,112,0xffff,0xffff,197,197], // fstat64
    [300,0xffff,0xffff,327,0xffff,4293,0xffff,0xffff,291,0xffff,293,0xffff,280,280,0xffff,0xffff,293,300], // fstatat64
    [100,138,138,100,44,4100,5135,6135,100,100,100,100,100,100,44,44,100,100], // fstatfs
    [269,0xffff,0xffff,267,0xffff,4256,0xffff,6218,253,253,266,266,299,299,0xffff,0xffff,264,269], // fstatfs64
    [118,74,74,118,82,4118,5072,6072,118,118,118,118,118,118,82,82,118,118], // fsync
    [35,0xffff,0xffff,0xffff,0xffff,4035,0xffff,0xffff,35,35,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // ftime
    [93,77,77,93,46,4093,5075,6075,93,93,93,93,93,93,46,46,93,93], // ftruncate
    [194,0xffff,0xffff,194,0xffff,4212,0xffff,0xffff,194,0xffff,194,0xffff,200,200,0xffff,0xffff,194,194], // ftruncate64
    [240,202,202,240,98,4238,5194,6194,221,221,238,238,210,210,98,98,235,240], // futex
    [456,456,456,456,456,4456,5456,6456,456,456,456,456,456,456,456,456,456,456], // futex_requeue
    [422,0xffff,0xffff,422,0xffff,4422,0xffff,6422,422,0xffff,422,0xffff,422,0xffff,0xffff,0xffff,422,422], // futex_time64
    [455,455,455,455,455,4455,5455,6455,455,455,455,455,455,455,455,455,455,455], // futex_wait
    [449,449,449,449,449,4449,5449,6449,449,449,449,449,449,449,449,449,449,449], // futex_waitv
    [454,454,454,454,454,4454,5454,6454,454,454,454,454,454,454,454,454,454,454], // futex_wake
    [299,261,261,326,0xffff,4292,5251,6255,290,290,292,292,279,279,0xffff,0xffff,292,299], // futimesat
    [130,177,0xffff,0xffff,0xffff,4130,5170,6170,130,130,130,130,0xffff,0xffff,0xffff,0xffff,130,0xffff], // get_kernel_syms
    [275,239,239,320,236,4269,5228,6232,260,260,269,269,261,261,236,236,269,275], // get_mempolicy
    [312,274,531,339,100,4310,5269,6273,299,299,305,305,290,290,100,100,305,312], // get_robust_list
    [244,211,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,333,0xffff], // get_thread_area
    [0xffff,0xffff,0xffff,61446,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // get_tls
    [318,309,309,345,168,4312,5271,6275,302,302,311,311,296,296,168,168,314,318], // getcpu
    [183,79,79,183,17,4203,5077,6077,182,182,183,183,110,110,17,17,183,183], // getcwd
    [141,78,78,141,0xffff,4141,5076,6076,141,141,141,141,141,141,0xffff,0xffff,141,141], // getdents
    [220,217,217,217,61,4219,5308,6299,202,202,220,220,201,201,61,61,220,220], // getdents64
    [50,108,108,50,177,4050,5106,6106,50,50,50,202,50,50,177,177,50,50], // getegid
    [202,0xffff,0xffff,202,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,202,0xffff,0xffff,0xffff,0xffff,0xffff,202,202], // getegid32
    [49,107,107,49,175,4049,5105,6105,49,49,49,201,49,49,175,175,49,49], // geteuid
    [201,0xffff,0xffff,201,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,201,0xffff,0xffff,0xffff,0xffff,0xffff,201,201], // geteuid32
    [47,104,104,47,176,4047,5102,6102,47,47,47,200,47,47,176,176,47,47], // getgid
    [200,0xffff,0xffff,200,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,200,0xffff,0xffff,0xffff,0xffff,0xffff,200,200], // getgid32
    [80,115,115,80,158,4080,5113,6113,80,80,80,205,80,80,158,158,80,80], // getgroups
    [205,0xffff,0xffff,205,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,205,0xffff,0xffff,0xffff,0xffff,0xffff,205,205], // getgroups32
    [105,36,36,105,102,4105,5035,6035,105,105,105,105,105,105,102,102,105,105], // getitimer
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,166,0xffff], // getpagesize
    [368,52,52,287,205,4171,5051,6051,332,332,368,368,53,53,205,205,365,346], // getpeername
    [132,121,121,132,155,4132,5119,6119,132,132,132,132,132,132,155,155,132,132], // getpgid
    [65,111,111,65,0xffff,4065,5109,6109,65,65,65,65,65,65,0xffff,0xffff,65,65], // getpgrp
    [20,39,39,20,172,4020,5038,6038,20,20,20,20,20,20,172,172,20,20], // getpid
    [188,181,181,0xffff,0xffff,4208,5174,6174,187,187,188,188,0xffff,0xffff,0xffff,0xffff,188,0xffff], // getpmsg
    [64,110,110,64,173,4064,5108,6108,64,64,64,64,64,64,173,173,64,64], // getppid
    [96,140,140,96,141,4096,5137,6137,96,96,96,96,96,96,141,141,96,96], // getpriority
    [355,318,318,384,278,4353,5313,6317,359,359,349,349,339,339,278,278,352,373], // getrandom
    [171,120,120,171,150,4191,5118,6118,170,170,171,211,171,171,150,150,171,171], // getresgid
    [211,0xffff,0xffff,211,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,211,0xffff,0xffff,0xffff,0xffff,0xffff,211,211], // getresgid32
    [165,118,118,165,148,4186,5116,6116,165,165,165,209,165,165,148,148,165,165], // getresuid
    [209,0xffff,0xffff,209,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,209,0xffff,0xffff,0xffff,0xffff,0xffff,209,209], // getresuid32
    [76,97,97,0xffff,163,4076,5095,6095,76,76,76,191,76,76,163,0xffff,76,76], // getrlimit
    [77,98,98,77,165,4077,5096,6096,77,77,77,77,77,77,165,165,77,77], // getrusage
    [147,124,124,147,156,4151,5122,6122,147,147,147,147,147,147,156,156,147,147], // getsid
    [367,51,51,286,204,4172,5050,6050,331,331,367,367,44,44,204,204,364,345], // getsockname
    [365,55,542,295,209,4173,5054,6054,340,340,365,365,182,182,209,209,362,354], // getsockopt
    [224,186,186,224,178,4222,5178,6178,207,207,236,236,206,206,178,178,221,224], // gettid
    [78,96,96,78,169,4078,5094,6094,78,78,78,78,78,78,169,169,78,78], // gettimeofday
    [24,102,102,24,174,4024,5100,6100,24,24,24,199,24,24,174,174,24,24], // getuid
    [199,0xffff,0xffff,199,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,199,0xffff,0xffff,0xffff,0xffff,0xffff,199,199], // getuid32
    [229,191,191,229,8,4227,5183,6183,212,212,227,227,241,241,8,8,226,229], // getxattr
    [464,464,464,464,464,4464,5464,6464,464,464,464,464,464,464,464,464,464,464], // getxattrat
    [32,0xffff,0xffff,0xffff,0xffff,4032,0xffff,0xffff,32,32,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // gtty
    [112,0xffff,0xffff,0xffff,0xffff,4112,0xffff,0xffff,112,112,112,112,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // idle
    [128,175,175,128,105,4128,5168,6168,128,128,128,128,128,128,105,105,128,128], // init_module
    [292,254,254,317,27,4285,5244,6248,276,276,285,285,270,270,27,27,285,291], // inotify_add_watch
    [291,253,253,316,0xffff,4284,5243,6247,275,275,284,284,269,269,0xffff,0xffff,284,290], // inotify_init
    [332,294,294,360,26,4329,5288,6292,318,318,324,324,314,314,26,26,328,332], // inotify_init1
    [293,255,255,318,28,4286,5245,6249,277,277,286,286,271,271,28,28,286,292], // inotify_rm_watch
    [249,210,210,247,3,4245,5204,6204,231,231,247,247,219,219,3,3,245,249], // io_cancel
    [246,207,207,244,1,4242,5201,6201,228,228,244,244,216,216,1,1,242,246], // io_destroy
    [247,208,208,245,4,4243,5202,6202,229,229,245,245,217,217,4,4,243,247], // io_getevents
    [385,333,333,399,292,4368,5328,6332,388,388,382,382,350,350,292,292,0xffff,0xffff], // io_pgetevents
    [416,0xffff,0xffff,416,0xffff,4416,0xffff,6416,416,0xffff,416,0xffff,416,0xffff,0xffff,0xffff,416,416], // io_pgetevents_time64
    [245,206,543,243,0,4241,5200,6200,227,227,243,243,215,215,0,0,241,245], // io_setup
    [248,209,544,246,2,4244,5203,6203,230,230,246,246,218,218,2,2,244,248], // io_submit
    [426,426,426,426,426,4426,5426,6426,426,426,426,426,426,426,426,426,426,426], // io_uring_enter
    [427,427,427,427,427,4427,5427,6427,427,427,427,427,427,427,427,427,427,427], // io_uring_register
    [425,425,425,425,425,4425,5425,6425,425,425,425,425,425,425,425,425,425,425], // io_uring_setup
    [54,16,514,54,29,4054,5015,6015,54,54,54,54,54,54,29,29,54,54], // ioctl
    [101,173,173,0xffff,0xffff,4101,0xffff,0xffff,101,101,101,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // ioperm
    [110,172,172,0xffff,0xffff,4110,0xffff,0xffff,110,110,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // iopl
    [290,252,252,315,31,4315,5274,6278,274,274,283,283,268,268,31,31,283,289], // ioprio_get
    [289,251,251,314,30,4314,5273,6277,273,273,282,282,267,267,30,30,282,288], // ioprio_set
    [117,0xffff,0xffff,0xffff,0xffff,4117,0xffff,0xffff,117,117,117,117,0xffff,0xffff,0xffff,0xffff,117,117], // ipc
    [349,312,312,378,272,4347,5306,6311,354,354,343,343,332,332,272,272,347,367], // kcmp
    [0xffff,320,320,401,294,0xffff,0xffff,0xffff,382,382,381,381,355,355,294,294,0xffff,0xffff], // kexec_file_load
    [283,246,528,347,104,4311,5270,6274,268,268,277,277,300,300,104,104,313,283], // kexec_load
    [288,250,250,311,219,4282,5241,6245,271,271,280,280,266,266,219,219,281,287], // keyctl
    [37,62,62,37,129,4037,5060,6060,37,37,37,37,37,37,129,129,37,37], // kill
    [445,445,445,445,445,4445,5445,6445,445,445,445,445,445,445,445,445,445,445], // landlock_add_rule
    [444,444,444,444,444,4444,5444,6444,444,444,444,444,444,444,444,444,444,444], // landlock_create_ruleset
    [446,446,446,446,446,4446,5446,6446,446,446,446,446,446,446,446,446,446,446], // landlock_restrict_self
    [16,94,94,16,0xffff,4016,5092,6092,16,16,16,198,16,16,0xffff,0xffff,182,16], // lchown
    [198,0xffff,0xffff,198,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,198,0xffff,0xffff,0xffff,0xffff,0xffff,212,198], // lchown32
    [230,192,192,230,9,4228,5184,6184,213,213,228,228,242,242,9,9,227,230], // lgetxattr
    [9,86,86,9,0xffff,4009,5084,6084,9,9,9,9,9,9,0xffff,0xffff,9,9], // link
    [303,265,265,330,37,4296,5255,6259,294,294,296,296,283,283,37,37,296,303], // linkat
    [363,50,50,284,201,4174,5049,6049,329,329,363,363,32,32,201,201,360,343], // listen
    [458,458,458,458,458,4458,5458,6458,458,458,458,458,458,458,458,458,458,458], // listmount
    [470,470,470,470,470,4470,5470,6470,470,470,470,470,470,470,470,470,470,470], // listns
    [232,194,194,232,11,4230,5186,6186,215,215,230,230,244,244,11,11,229,232], // listxattr
    [465,465,465,465,465,4465,5465,6465,465,465,465,465,465,465,465,465,465,465], // listxattrat
    [233,195,195,233,12,4231,5187,6187,216,216,231,231,245,245,12,12,230,233], // llistxattr
    [53,0xffff,0xffff,0xffff,0xffff,4053,0xffff,0xffff,53,53,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // lock
    [253,212,212,249,18,4247,5206,6206,235,235,110,110,223,223,18,18,248,253], // lookup_dcookie
    [236,198,198,236,15,4234,5190,6190,219,219,234,234,248,248,15,15,233,236], // lremovexattr
    [19,8,8,19,62,4019,5008,6008,19,19,19,19,19,19,62,62,19,19], // lseek
    [227,189,189,227,6,4225,5181,6181,210,210,225,225,239,239,6,6,224,227], // lsetxattr
    [459,459,459,459,459,4459,5459,6459,459,459,459,459,459,459,459,459,459,459], // lsm_get_self_attr
    [461,461,461,461,461,4461,5461,6461,461,461,461,461,461,461,461,461,461,461], // lsm_list_modules
    [460,460,460,460,460,4460,5460,6460,460,460,460,460,460,460,460,460,460,460], // lsm_set_self_attr
    [107,6,6,107,0xffff,4107,5006,6006,107,107,107,107,84,84,0xffff,0xffff,107,107], // lstat
    [196,0xffff,0xffff,196,0xffff,4214,0xffff,0xffff,196,0xffff,196,0xffff,198,198,0xffff,0xffff,196,196], // lstat64
    [219,28,28,220,233,4218,5027,6027,205,205,219,219,119,119,233,233,238,219], // madvise
    [453,453,453,453,453,4453,5453,6453,453,453,453,453,453,453,453,453,453,453], // map_shadow_stack
    [274,237,237,319,235,4268,5227,6231,259,259,268,268,260,260,235,235,268,274], // mbind
    [375,324,324,389,283,4358,5318,6322,365,365,356,356,343,343,283,283,374,378], // membarrier
    [356,319,319,385,279,4354,5314,6318,360,360,350,350,340,340,279,279,353,374], // memfd_create
    [447,447,447,0xffff,447,0xffff,0xffff,0xffff,0xffff,0xffff,447,447,0xffff,0xffff,447,447,0xffff,0xffff], // memfd_secret
    [294,256,256,400,238,4287,5246,6250,258,258,287,287,272,272,238,238,287,294], // migrate_pages
    [218,27,27,219,232,4217,5026,6026,206,206,218,218,72,72,232,232,237,218], // mincore
    [39,83,83,39,0xffff,4039,5081,6081,39,39,39,39,39,39,0xffff,0xffff,39,39], // mkdir
    [296,258,258,323,34,4289,5248,6252,287,287,289,289,276,276,34,34,289,296], // mkdirat
    [14,133,133,14,0xffff,4014,5131,6131,14,14,14,14,14,14,0xffff,0xffff,14,14], // mknod
    [297,259,259,324,33,4290,5249,6253,288,288,290,290,277,277,33,33,290,297], // mknodat
    [150,149,149,150,228,4154,5146,6146,150,150,150,150,150,150,228,228,150,150], // mlock
    [376,325,325,390,284,4359,5319,6323,378,378,374,374,345,345,284,284,375,379], // mlock2
    [152,151,151,152,230,4156,5148,6148,152,152,152,152,152,152,230,230,152,152], // mlockall
    [90,9,9,0xffff,222,4090,5009,6009,90,90,90,90,90,90,222,222,90,90], // mmap
    [192,0xffff,0xffff,192,0xffff,4210,0xffff,0xffff,192,0xffff,192,0xffff,89,89,0xffff,0xffff,192,192], // mmap2
    [123,154,154,0xffff,0xffff,4123,0xffff,0xffff,123,123,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // modify_ldt
    [21,165,165,21,40,4021,5160,6160,21,21,21,21,21,21,40,40,21,21], // mount
    [442,442,442,442,442,4442,5442,6442,442,442,442,442,442,442,442,442,442,442], // mount_setattr
    [429,429,429,429,429,4429,5429,6429,429,429,429,429,429,429,429,429,429,429], // move_mount
    [317,279,533,344,239,4308,5267,6271,301,301,310,310,295,295,239,239,310,317], // move_pages
    [125,10,10,125,226,4125,5010,6010,125,125,125,125,125,125,226,226,125,125], // mprotect
    [56,0xffff,0xffff,0xffff,0xffff,4056,0xffff,0xffff,56,56,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // mpx
    [282,245,245,279,185,4276,5235,6239,267,267,276,276,234,234,185,185,276,282], // mq_getsetattr
    [281,244,527,278,184,4275,5234,6238,266,266,275,275,233,233,184,184,275,281], // mq_notify
    [277,240,240,274,180,4271,5230,6234,262,262,271,271,229,229,180,180,271,277], // mq_open
    [280,243,243,277,183,4274,5233,6237,265,265,274,274,232,232,183,183,274,280], // mq_timedreceive
    [419,0xffff,0xffff,419,0xffff,4419,0xffff,6419,419,0xffff,419,0xffff,419,0xffff,0xffff,0xffff,419,419], // mq_timedreceive_time64
    [279,242,242,276,182,4273,5232,6236,264,264,273,273,231,231,182,182,273,279], // mq_timedsend
    [418,0xffff,0xffff,418,0xffff,4418,0xffff,6418,418,0xffff,418,0xffff,418,0xffff,0xffff,0xffff,418,418], // mq_timedsend_time64
    [278,241,241,275,181,4272,5231,6235,263,263,272,272,230,230,181,181,272,278], // mq_unlink
    [163,25,25,163,216,4167,5024,6024,163,163,163,163,163,163,216,216,163,163], // mremap
    [462,462,462,462,462,4462,5462,6462,462,462,462,462,462,462,462,462,462,462], // mseal
    [402,71,71,304,187,4402,5069,6069,402,402,402,402,191,191,187,187,402,402], // msgctl
    [399,68,68,303,186,4399,5066,6066,399,399,399,399,190,190,186,186,399,399], // msgget
    [401,70,70,302,188,4401,5068,6068,401,401,401,401,189,189,188,188,401,401], // msgrcv
    [400,69,69,301,189,4400,5067,6067,400,400,400,400,188,188,189,189,400,400], // msgsnd
    [144,26,26,144,227,4144,5025,6025,144,144,144,144,144,144,227,227,144,144], // msync
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,201,201,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // multiplexer
    [151,150,150,151,229,4155,5147,6147,151,151,151,151,151,151,229,229,151,151], // munlock
    [153,152,152,153,231,4157,5149,6149,153,153,153,153,153,153,231,231,153,153], // munlockall
    [91,11,11,91,215,4091,5011,6011,91,91,91,91,91,91,215,215,91,91], // munmap
    [341,303,303,370,264,4339,5298,6303,345,345,335,335,325,325,264,264,340,359], // name_to_handle_at
    [162,35,35,162,101,4166,5034,6034,162,162,162,162,162,162,101,101,162,162], // nanosleep
    [0xffff,262,262,0xffff,79,0xffff,5252,6256,0xffff,291,0xffff,293,0xffff,0xffff,79,79,0xffff,0xffff], // newfstatat
    [169,180,0xffff,169,42,4189,5173,6173,168,168,169,169,0xffff,0xffff,42,42,169,169], // nfsservctl
    [34,0xffff,0xffff,34,0xffff,4034,0xffff,0xffff,34,34,34,34,34,34,0xffff,0xffff,34,34], // nice
    [28,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,28,28,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,28,28], // oldfstat
    [84,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,84,84,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,84,84], // oldlstat
    [59,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,59,59,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // oldolduname
    [18,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,18,18,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,18,18], // oldstat
    [109,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,109,109,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,109], // olduname
    [5,2,2,5,0xffff,4005,5002,6002,5,5,5,5,5,5,0xffff,0xffff,5,5], // open
    [342,304,304,371,265,4340,5299,6304,346,346,336,336,326,326,265,265,341,360], // open_by_handle_at
    [428,428,428,428,428,4428,5428,6428,428,428,428,428,428,428,428,428,428,428], // open_tree
    [467,467,467,467,467,4467,5467,6467,467,467,467,467,467,467,467,467,467,467], // open_tree_attr
    [295,257,257,322,56,4288,5247,6251,286,286,288,288,275,275,56,56,288,295], // openat
    [437,437,437,437,437,4437,5437,6437,437,437,437,437,437,437,437,437,437,437], // openat2
    [29,34,34,29,0xffff,4029,5033,6033,29,29,29,29,29,29,0xffff,0xffff,29,29], // pause
    [0xffff,0xffff,0xffff,271,0xffff,0xffff,0xffff,0xffff,200,200,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // pciconfig_iobase
    [0xffff,0xffff,0xffff,272,0xffff,0xffff,0xffff,0xffff,198,198,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // pciconfig_read
    [0xffff,0xffff,0xffff,273,0xffff,0xffff,0xffff,0xffff,199,199,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // pciconfig_write
    [336,298,298,364,241,4333,5292,6296,319,319,331,331,318,318,241,241,332,336], // perf_event_open
    [136,135,135,136,92,4136,5132,6132,136,136,136,136,136,136,92,92,136,136], // personality
    [438,438,438,438,438,4438,5438,6438,438,438,438,438,438,438,438,438,438,438], // pidfd_getfd
    [434,434,434,434,434,4434,5434,6434,434,434,434,434,434,434,434,434,434,434], // pidfd_open
    [424,424,424,424,424,4424,5424,6424,424,424,424,424,424,424,424,424,424,424], // pidfd_send_signal
    [42,22,22,42,0xffff,4042,5021,6021,42,42,42,42,42,42,0xffff,0xffff,42,42], // pipe
    [331,293,293,359,59,4328,5287,6291,317,317,325,325,313,313,59,59,327,331], // pipe2
    [217,155,155,218,41,4216,5151,6151,203,203,217,217,67,67,41,41,217,217], // pivot_root
    [381,330,330,395,289,4364,5324,6328,384,384,385,385,352,352,289,289,382,385], // pkey_alloc
    [382,331,331,396,290,4365,5325,6329,385,385,386,386,353,353,290,290,383,386], // pkey_free
    [380,329,329,394,288,4363,5323,6327,386,386,384,384,351,351,288,288,381,384], // pkey_mprotect
    [168,7,7,168,0xffff,4188,5007,6007,167,167,168,168,168,168,0xffff,0xffff,168,168], // poll
    [309,271,271,336,73,4302,5261,6265,281,281,302,302,274,274,73,73,302,309], // ppoll
    [414,0xffff,0xffff,414,0xffff,4414,0xffff,6414,414,0xffff,414,0xffff,414,0xffff,0xffff,0xffff,414,414], // ppoll_time64
    [172,157,157,172,167,4192,5153,6153,171,171,172,172,172,172,167,167,172,172], // prctl
    [180,17,17,180,67,4200,5016,6016,179,179,180,180,108,108,67,67,180,180], // pread64
    [333,295,534,361,69,4330,5289,6293,320,320,328,328,315,315,69,69,329,333], // preadv
    [378,327,546,392,286,4361,5321,6325,380,380,376,376,347,347,286,286,377,381], // preadv2
    [340,302,302,369,261,4338,5297,6302,325,325,334,334,321,321,261,261,339,339], // prlimit64
    [440,440,440,440,440,4440,5440,6440,440,440,440,440,440,440,440,440,440,440], // process_madvise
    [448,448,448,448,448,4448,5448,6448,448,448,448,448,448,448,448,448,448,448], // process_mrelease
    [347,310,539,376,270,4345,5304,6309,351,351,340,340,330,330,270,270,345,365], // process_vm_readv
    [348,311,540,377,271,4346,5305,6310,352,352,341,341,331,331,271,271,346,366], // process_vm_writev
    [44,0xffff,0xffff,0xffff,0xffff,4044,0xffff,0xffff,44,44,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // prof
    [98,0xffff,0xffff,0xffff,0xffff,4098,0xffff,0xffff,98,98,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // profil
    [308,270,270,335,72,4301,5260,6264,280,280,301,301,273,273,72,72,301,308], // pselect6
    [413,0xffff,0xffff,413,0xffff,4413,0xffff,6413,413,0xffff,413,0xffff,413,0xffff,0xffff,0xffff,413,413], // pselect6_time64
    [26,101,521,26,117,4026,5099,6099,26,26,26,26,26,26,117,117,26,26], // ptrace
    [189,182,182,0xffff,0xffff,4209,5175,6175,188,188,189,189,0xffff,0xffff,0xffff,0xffff,189,0xffff], // putpmsg
    [181,18,18,181,68,4201,5017,6017,180,180,181,181,109,109,68,68,181,181], // pwrite64
    [334,296,535,362,70,4331,5290,6294,321,321,329,329,316,316,70,70,330,334], // pwritev
    [379,328,547,393,287,4362,5322,6326,381,381,377,377,348,348,287,287,378,382], // pwritev2
    [167,178,0xffff,0xffff,0xffff,4187,5171,6171,166,166,167,167,0xffff,0xffff,0xffff,0xffff,167,0xffff], // query_module
    [131,179,179,131,60,4131,5172,6172,131,131,131,131,131,131,60,60,131,131], // quotactl
    [443,443,443,443,443,4443,5443,6443,443,443,443,443,443,443,443,443,443,443], // quotactl_fd
    [3,0,0,3,63,4003,5000,6000,3,3,3,3,3,3,63,63,3,3], // read
    [225,187,187,225,213,4223,5179,6179,191,191,222,222,207,207,213,213,240,225], // readahead
    [89,0xffff,0xffff,0xffff,0xffff,4089,0xffff,0xffff,89,89,89,89,0xffff,0xffff,0xffff,0xffff,89,89], // readdir
    [85,89,89,85,0xffff,4085,5087,6087,85,85,85,85,85,85,0xffff,0xffff,85,85], // readlink
    [305,267,267,332,78,4298,5257,6261,296,296,298,298,285,285,78,78,298,305], // readlinkat
    [145,19,515,145,65,4145,5018,6018,145,145,145,145,145,145,65,65,145,145], // readv
    [88,169,169,88,142,4088,5164,6164,88,88,88,88,88,88,142,142,88,88], // reboot
    [0xffff,0xffff,0xffff,291,0xffff,4175,0xffff,0xffff,336,336,0xffff,0xffff,98,98,0xffff,0xffff,0xffff,350], // recv
    [371,45,517,292,207,4176,5044,6044,337,337,371,371,123,123,207,207,368,351], // recvfrom
    [337,299,537,365,243,4335,5294,6298,343,343,357,357,319,319,243,243,371,357], // recvmmsg
    [417,0xffff,0xffff,417,0xffff,4417,0xffff,6417,417,0xffff,417,0xffff,417,0xffff,0xffff,0xffff,417,417], // recvmmsg_time64
    [372,47,519,297,212,4177,5046,6046,342,342,372,372,184,184,212,212,369,356], // recvmsg
    [257,216,216,253,234,4251,5210,6210,239,239,267,267,227,227,234,234,252,257], // remap_file_pages
    [235,197,197,235,14,4233,5189,6189,218,218,233,233,247,247,14,14,232,235], // removexattr
    [466,466,466,466,466,4466,5466,6466,466,466,466,466,466,466,466,466,466,466], // removexattrat
    [38,82,82,38,0xffff,4038,5080,6080,38,38,38,38,38,38,0xffff,0xffff,38,38], // rename
    [302,264,264,329,38,4295,5254,6258,293,293,295,295,282,282,0xffff,0xffff,295,302], // renameat
    [353,316,316,382,276,4351,5311,6315,357,357,347,347,337,337,276,276,351,371], // renameat2
    [287,249,249,310,218,4281,5240,6244,270,270,279,279,265,265,218,218,280,286], // request_key
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,5177,6177,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // reserved177
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,5193,6193,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // reserved193
    [0xffff,0xffff,0xffff,0xffff,0xffff,4221,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // reserved221
    [0xffff,0xffff,0xffff,0xffff,0xffff,4082,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // reserved82
    [0,219,219,0,128,4253,5213,6214,0,0,7,7,0,0,128,128,0,0], // restart_syscall
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,259,0xffff,0xffff,0xffff], // riscv_flush_icache
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,258,0xffff,0xffff,0xffff], // riscv_hwprobe
    [40,84,84,40,0xffff,4040,5082,6082,40,40,40,40,40,40,0xffff,0xffff,40,40], // rmdir
    [386,334,334,398,293,4367,5327,6331,387,387,383,383,354,354,293,293,384,387], // rseq
    [471,471,471,471,471,4471,5471,6471,471,471,471,471,471,471,471,471,471,471], // rseq_slice_yield
    [174,13,512,174,134,4194,5013,6013,173,173,174,174,174,174,134,134,174,174], // rt_sigaction
    [176,127,522,176,136,4196,5125,6125,175,175,176,176,176,176,136,136,176,176], // rt_sigpending
    [175,14,14,175,135,4195,5014,6014,174,174,175,175,175,175,135,135,175,175], // rt_sigprocmask
    [178,129,524,178,138,4198,5127,6127,177,177,178,178,178,178,138,138,178,178], // rt_sigqueueinfo
    [173,15,513,173,139,4193,5211,6211,172,172,173,173,173,173,139,139,173,173], // rt_sigreturn
    [179,130,130,179,133,4199,5128,6128,178,178,179,179,179,179,133,133,179,179], // rt_sigsuspend
    [177,128,523,177,137,4197,5126,6126,176,176,177,177,177,177,137,137,177,177], // rt_sigtimedwait
    [421,0xffff,0xffff,421,0xffff,4421,0xffff,6421,421,0xffff,421,0xffff,421,0xffff,0xffff,0xffff,421,421], // rt_sigtimedwait_time64
    [335,297,536,363,240,4332,5291,6295,322,322,330,330,317,317,240,240,331,335], // rt_tgsigqueueinfo
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,255,255,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // rtas
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,378,378,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // s390_guarded_storage
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,353,353,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // s390_pci_mmio_read
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,352,352,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // s390_pci_mmio_write
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,342,342,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // s390_runtime_instr
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,380,380,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // s390_sthyi
    [159,146,146,159,125,4163,5143,6143,159,159,159,159,159,159,125,125,159,159], // sched_get_priority_max
    [160,147,147,160,126,4164,5144,6144,160,160,160,160,160,160,126,126,160,160], // sched_get_priority_min
    [242,204,204,242,123,4240,5196,6196,223,223,240,240,212,212,123,123,312,242], // sched_getaffinity
    [352,315,315,381,275,4350,5310,6314,356,356,346,346,335,335,275,275,350,369], // sched_getattr
    [155,143,143,155,121,4159,5140,6140,155,155,155,155,155,155,121,121,155,155], // sched_getparam
    [157,145,145,157,120,4161,5142,6142,157,157,157,157,157,157,120,120,157,157], // sched_getscheduler
    [161,148,148,161,127,4165,5145,6145,161,161,161,161,161,161,127,127,161,161], // sched_rr_get_interval
    [423,0xffff,0xffff,423,0xffff,4423,0xffff,6423,423,0xffff,423,0xffff,423,0xffff,0xffff,0xffff,423,423], // sched_rr_get_interval_time64
    [241,203,203,241,122,4239,5195,6195,222,222,239,239,211,211,122,122,311,241], // sched_setaffinity
    [351,314,314,380,274,4349,5309,6313,355,355,345,345,334,334,274,274,349,370], // sched_setattr
    [154,142,142,154,118,4158,5139,6139,154,154,154,154,154,154,118,118,154,154], // sched_setparam
    [156,144,144,156,119,4160,5141,6141,156,156,156,156,156,156,119,119,156,156], // sched_setscheduler
    [158,24,24,158,124,4162,5023,6023,158,158,158,158,158,158,124,124,158,158], // sched_yield
    [354,317,317,383,277,4352,5312,6316,358,358,348,348,338,338,277,277,380,372], // seccomp
    [0xffff,185,185,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // security
    [82,23,23,0xffff,0xffff,0xffff,0xffff,0xffff,82,82,0xffff,142,0xffff,0xffff,0xffff,0xffff,82,0xffff], // select
    [394,66,66,300,191,4394,5064,6064,394,394,394,394,187,187,191,191,394,394], // semctl
    [393,64,64,299,190,4393,5062,6062,393,393,393,393,186,186,190,190,393,393], // semget
    [0xffff,65,65,298,193,0xffff,5063,6063,0xffff,0xffff,0xffff,0xffff,185,185,193,193,0xffff,0xffff], // semop
    [0xffff,220,220,312,192,0xffff,5214,6215,0xffff,392,0xffff,392,228,228,192,192,0xffff,0xffff], // semtimedop
    [420,0xffff,0xffff,420,0xffff,4420,0xffff,6420,420,0xffff,420,0xffff,420,0xffff,0xffff,0xffff,420,420], // semtimedop_time64
    [0xffff,0xffff,0xffff,289,0xffff,4178,0xffff,0xffff,334,334,0xffff,0xffff,58,58,0xffff,0xffff,0xffff,348], // send
    [187,40,40,187,71,4207,5039,6039,186,186,187,187,122,122,71,71,187,187], // sendfile
    [239,0xffff,0xffff,239,0xffff,4237,0xffff,6219,226,0xffff,223,0xffff,209,209,0xffff,0xffff,236,239], // sendfile64
    [345,307,538,374,269,4343,5302,6307,349,349,358,358,329,329,269,269,372,363], // sendmmsg
    [370,46,518,296,211,4179,5045,6045,341,341,370,370,183,183,211,211,367,355], // sendmsg
    [369,44,44,290,206,4180,5043,6043,335,335,369,369,82,82,206,206,366,349], // sendto
    [276,238,238,321,237,4270,5229,6233,261,261,270,270,262,262,237,237,270,276], // set_mempolicy
    [450,450,450,450,450,4450,5450,6450,450,450,450,450,450,450,450,450,450,450], // set_mempolicy_home_node
    [311,273,530,338,99,4309,5268,6272,300,300,304,304,289,289,99,99,304,311], // set_robust_list
    [243,205,0xffff,0xffff,0xffff,4283,5242,6246,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,334,0xffff], // set_thread_area
    [258,218,218,256,96,4252,5212,6213,232,232,252,252,237,237,96,96,253,258], // set_tid_address
    [0xffff,0xffff,0xffff,61445,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // set_tls
    [121,171,171,121,162,4121,5166,6166,121,121,121,121,121,121,162,162,121,121], // setdomainname
    [139,123,123,139,152,4139,5121,6121,139,139,139,216,139,139,152,152,139,139], // setfsgid
    [216,0xffff,0xffff,216,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,216,0xffff,0xffff,0xffff,0xffff,0xffff,216,216], // setfsgid32
    [138,122,122,138,151,4138,5120,6120,138,138,138,215,138,138,151,151,138,138], // setfsuid
    [215,0xffff,0xffff,215,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,215,0xffff,0xffff,0xffff,0xffff,0xffff,215,215], // setfsuid32
    [46,106,106,46,144,4046,5104,6104,46,46,46,214,46,46,144,144,46,46], // setgid
    [214,0xffff,0xffff,214,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,214,0xffff,0xffff,0xffff,0xffff,0xffff,214,214], // setgid32
    [81,116,116,81,159,4081,5114,6114,81,81,81,206,81,81,159,159,81,81], // setgroups
    [206,0xffff,0xffff,206,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,206,0xffff,0xffff,0xffff,0xffff,0xffff,206,206], // setgroups32
    [74,170,170,74,161,4074,5165,6165,74,74,74,74,74,74,161,161,74,74], // sethostname
    [104,38,38,104,103,4104,5036,6036,104,104,104,104,104,104,103,103,104,104], // setitimer
    [346,308,308,375,268,4344,5303,6308,350,350,339,339,328,328,268,268,344,364], // setns
    [57,109,109,57,154,4057,5107,6107,57,57,57,57,57,57,154,154,57,57], // setpgid
    [97,141,141,97,140,4097,5138,6138,97,97,97,97,97,97,140,140,97,97], // setpriority
    [71,114,114,71,143,4071,5112,6112,71,71,71,204,71,71,143,143,71,71], // setregid
    [204,0xffff,0xffff,204,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,204,0xffff,0xffff,0xffff,0xffff,0xffff,204,204], // setregid32
    [170,119,119,170,149,4190,5117,6117,169,169,170,210,170,170,149,149,170,170], // setresgid
    [210,0xffff,0xffff,210,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,210,0xffff,0xffff,0xffff,0xffff,0xffff,210,210], // setresgid32
    [164,117,117,164,147,4185,5115,6115,164,164,164,208,164,164,147,147,164,164], // setresuid
    [208,0xffff,0xffff,208,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,208,0xffff,0xffff,0xffff,0xffff,0xffff,208,208], // setresuid32
    [70,113,113,70,145,4070,5111,6111,70,70,70,203,70,70,145,145,70,70], // setreuid
    [203,0xffff,0xffff,203,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,203,0xffff,0xffff,0xffff,0xffff,0xffff,203,203], // setreuid32
    [75,160,160,75,164,4075,5155,6155,75,75,75,75,75,75,164,0xffff,75,75], // setrlimit
    [66,112,112,66,157,4066,5110,6110,66,66,66,66,66,66,157,157,66,66], // setsid
    [366,54,541,294,208,4181,5053,6053,339,339,366,366,181,181,208,208,363,353], // setsockopt
    [79,164,164,79,170,4079,5159,6159,79,79,79,79,79,79,170,170,79,79], // settimeofday
    [23,105,105,23,146,4023,5103,6103,23,23,23,213,23,23,146,146,23,23], // setuid
    [213,0xffff,0xffff,213,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,213,0xffff,0xffff,0xffff,0xffff,0xffff,213,213], // setuid32
    [226,188,188,226,5,4224,5180,6180,209,209,224,224,238,238,5,5,223,226], // setxattr
    [463,463,463,463,463,4463,5463,6463,463,463,463,463,463,463,463,463,463,463], // setxattrat
    [68,0xffff,0xffff,0xffff,0xffff,4068,0xffff,0xffff,68,68,0xffff,0xffff,68,68,0xffff,0xffff,68,68], // sgetmask
    [397,30,30,305,196,4397,5029,6029,397,397,397,397,192,192,196,196,397,397], // shmat
    [396,31,31,308,195,4396,5030,6030,396,396,396,396,195,195,195,195,396,396], // shmctl
    [398,67,67,306,197,4398,5065,6065,398,398,398,398,193,193,197,197,398,398], // shmdt
    [395,29,29,307,194,4395,5028,6028,395,395,395,395,194,194,194,194,395,395], // shmget
    [373,48,48,293,210,4182,5047,6047,338,338,373,373,117,117,210,210,370,352], // shutdown
    [67,0xffff,0xffff,67,0xffff,4067,0xffff,0xffff,67,67,67,67,0xffff,0xffff,0xffff,0xffff,67,67], // sigaction
    [186,131,525,186,132,4206,5129,6129,185,185,186,186,166,166,132,132,186,186], // sigaltstack
    [48,0xffff,0xffff,0xffff,0xffff,4048,0xffff,0xffff,48,48,48,48,48,48,0xffff,0xffff,48,48], // signal
    [321,282,282,349,0xffff,4317,5276,6280,305,305,316,316,302,302,0xffff,0xffff,317,321], // signalfd
    [327,289,289,355,74,4324,5283,6287,313,313,322,322,309,309,74,74,323,327], // signalfd4
    [73,0xffff,0xffff,73,0xffff,4073,0xffff,0xffff,73,73,73,73,73,73,0xffff,0xffff,73,73], // sigpending
    [126,0xffff,0xffff,126,0xffff,4126,0xffff,0xffff,126,126,126,126,126,126,0xffff,0xffff,126,126], // sigprocmask
    [119,0xffff,0xffff,119,0xffff,4119,0xffff,0xffff,119,119,119,119,0xffff,0xffff,0xffff,0xffff,119,119], // sigreturn
    [72,0xffff,0xffff,72,0xffff,4072,0xffff,0xffff,72,72,72,72,0xffff,0xffff,0xffff,0xffff,72,72], // sigsuspend
    [359,41,41,281,198,4183,5040,6040,326,326,359,359,17,17,198,198,356,340], // socket
    [102,0xffff,0xffff,0xffff,0xffff,4102,0xffff,0xffff,102,102,102,102,0xffff,0xffff,0xffff,0xffff,102,102], // socketcall
    [360,53,53,288,199,4184,5052,6052,333,333,360,360,56,56,199,199,357,347], // socketpair
    [313,275,275,340,76,4304,5263,6267,283,283,306,306,291,291,76,76,306,313], // splice
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,279,279,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // spu_create
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,278,278,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // spu_run
    [69,0xffff,0xffff,0xffff,0xffff,4069,0xffff,0xffff,69,69,0xffff,0xffff,69,69,0xffff,0xffff,69,69], // ssetmask
    [106,4,4,106,0xffff,4106,5004,6004,106,106,106,106,18,18,0xffff,0xffff,106,106], // stat
    [195,0xffff,0xffff,195,0xffff,4213,0xffff,0xffff,195,0xffff,195,0xffff,101,101,0xffff,0xffff,195,195], // stat64
    [99,137,137,99,43,4099,5134,6134,99,99,99,99,99,99,43,43,99,99], // statfs
    [268,0xffff,0xffff,266,0xffff,4255,0xffff,6217,252,252,265,265,298,298,0xffff,0xffff,263,268], // statfs64
    [457,457,457,457,457,4457,5457,6457,457,457,457,457,457,457,457,457,457,457], // statmount
    [383,332,332,397,291,4366,5326,6330,383,383,379,379,349,349,291,291,379,383], // statx
    [25,0xffff,0xffff,0xffff,0xffff,4025,0xffff,0xffff,25,25,25,0xffff,25,25,0xffff,0xffff,25,25], // stime
    [31,0xffff,0xffff,0xffff,0xffff,4031,0xffff,0xffff,31,31,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // stty
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,310,310,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // subpage_prot
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,249,249,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // swapcontext
    [115,168,168,115,225,4115,5163,6163,115,115,115,115,115,115,225,225,115,115], // swapoff
    [87,167,167,87,224,4087,5162,6162,87,87,87,87,87,87,224,224,87,87], // swapon
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,363,363,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // switch_endian
    [83,88,88,83,0xffff,4083,5086,6086,83,83,83,83,83,83,0xffff,0xffff,83,83], // symlink
    [304,266,266,331,36,4297,5256,6260,295,295,297,297,284,284,36,36,297,304], // symlinkat
    [36,162,162,36,81,4036,5157,6157,36,36,36,36,36,36,81,81,36,36], // sync
    [314,277,277,0xffff,84,4305,5264,6268,0xffff,0xffff,307,307,292,292,84,84,307,314], // sync_file_range
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,308,308,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,388], // sync_file_range2
    [344,306,306,373,267,4342,5301,6306,348,348,338,338,327,327,267,267,343,362], // syncfs
    [0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,256,256,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // sys_debug_setcontext
    [0xffff,0xffff,0xffff,0xffff,0xffff,4000,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // syscall
    [135,139,139,135,0xffff,4135,5136,6136,135,135,135,135,135,135,0xffff,0xffff,135,135], // sysfs
    [116,99,99,116,179,4116,5097,6097,116,116,116,116,116,116,179,179,116,116], // sysinfo
    [103,103,103,103,116,4103,5101,6101,103,103,103,103,103,103,116,116,103,103], // syslog
    [0xffff,0xffff,0xffff,0xffff,0xffff,4149,5199,6199,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // sysmips
    [315,276,276,342,77,4306,5265,6269,284,284,308,308,293,293,77,77,308,315], // tee
    [270,234,234,268,131,4266,5225,6229,250,250,241,241,259,259,131,131,265,270], // tgkill
    [13,201,201,0xffff,0xffff,4013,0xffff,0xffff,13,13,13,0xffff,13,13,0xffff,0xffff,13,13], // time
    [259,222,526,257,107,4257,5216,6220,240,240,254,254,250,250,107,107,254,259], // timer_create
    [263,226,226,261,111,4261,5220,6224,244,244,258,258,254,254,111,111,258,263], // timer_delete
    [262,225,225,260,109,4260,5219,6223,243,243,257,257,253,253,109,109,257,262], // timer_getoverrun
    [261,224,224,259,108,4259,5218,6222,242,242,256,256,252,252,108,108,256,261], // timer_gettime
    [408,0xffff,0xffff,408,0xffff,4408,0xffff,6408,408,0xffff,408,0xffff,408,0xffff,0xffff,0xffff,408,408], // timer_gettime64
    [260,223,223,258,110,4258,5217,6221,241,241,255,255,251,251,110,110,255,260], // timer_settime
    [409,0xffff,0xffff,409,0xffff,4409,0xffff,6409,409,0xffff,409,0xffff,409,0xffff,0xffff,0xffff,409,409], // timer_settime64
    [0xffff,0xffff,0xffff,0xffff,0xffff,4318,5277,6281,0xffff,0xffff,317,317,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // timerfd
    [322,283,283,350,85,4321,5280,6284,306,306,319,319,306,306,85,85,318,322], // timerfd_create
    [326,287,287,354,87,4322,5281,6285,312,312,321,321,308,308,87,87,322,326], // timerfd_gettime
    [410,0xffff,0xffff,410,0xffff,4410,0xffff,6410,410,0xffff,410,0xffff,410,0xffff,0xffff,0xffff,410,410], // timerfd_gettime64
    [325,286,286,353,86,4323,5282,6286,311,311,320,320,307,307,86,86,321,325], // timerfd_settime
    [411,0xffff,0xffff,411,0xffff,4411,0xffff,6411,411,0xffff,411,0xffff,411,0xffff,0xffff,0xffff,411,411], // timerfd_settime64
    [43,100,100,43,153,4043,5098,6098,43,43,43,43,43,43,153,153,43,43], // times
    [238,200,200,238,130,4236,5192,6192,208,208,237,237,208,208,130,130,222,238], // tkill
    [92,76,76,92,45,4092,5074,6074,92,92,92,92,92,92,45,45,92,92], // truncate
    [193,0xffff,0xffff,193,0xffff,4211,0xffff,0xffff,193,0xffff,193,0xffff,199,199,0xffff,0xffff,193,193], // truncate64
    [0xffff,184,184,0xffff,0xffff,0xffff,0xffff,0xffff,225,225,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // tuxcall
    [191,0xffff,0xffff,191,0xffff,0xffff,0xffff,0xffff,190,190,191,0xffff,0xffff,0xffff,0xffff,0xffff,191,191], // ugetrlimit
    [58,0xffff,0xffff,0xffff,0xffff,4058,0xffff,0xffff,58,58,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // ulimit
    [60,95,95,60,166,4060,5093,6093,60,60,60,60,60,60,166,166,60,60], // umask
    [22,0xffff,0xffff,0xffff,0xffff,4022,0xffff,0xffff,22,22,22,22,0xffff,0xffff,0xffff,0xffff,22,22], // umount
    [52,166,166,52,39,4052,5161,6161,52,52,52,52,52,52,39,39,52,52], // umount2
    [122,63,63,122,160,4122,5061,6061,122,122,122,122,59,59,160,160,122,122], // uname
    [10,87,87,10,0xffff,4010,5085,6085,10,10,10,10,10,10,0xffff,0xffff,10,10], // unlink
    [301,263,263,328,35,4294,5253,6257,292,292,294,294,281,281,35,35,294,301], // unlinkat
    [310,272,272,337,97,4303,5262,6266,282,282,303,303,288,288,97,97,303,310], // unshare
    [0xffff,0xffff,0xffff,0xffff,0xffff,4109,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // unused109
    [0xffff,0xffff,0xffff,0xffff,0xffff,4150,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // unused150
    [0xffff,0xffff,0xffff,0xffff,0xffff,4018,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // unused18
    [0xffff,0xffff,0xffff,0xffff,0xffff,4028,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // unused28
    [0xffff,0xffff,0xffff,0xffff,0xffff,4059,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // unused59
    [0xffff,0xffff,0xffff,0xffff,0xffff,4084,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // unused84
    [0xffff,336,336,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // uprobe
    [0xffff,335,335,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // uretprobe
    [86,134,0xffff,86,0xffff,4086,0xffff,0xffff,86,86,86,86,86,86,0xffff,0xffff,86,86], // uselib
    [374,323,323,388,282,4357,5317,6321,364,364,355,355,344,344,282,282,373,377], // userfaultfd
    [0xffff,0xffff,0xffff,61443,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // usr26
    [0xffff,0xffff,0xffff,61444,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // usr32
    [62,136,136,62,0xffff,4062,5133,6133,62,62,62,62,62,62,0xffff,0xffff,62,62], // ustat
    [30,132,132,0xffff,0xffff,4030,5130,6130,30,30,30,30,30,30,0xffff,0xffff,30,30], // utime
    [320,280,280,348,88,4316,5275,6279,304,304,315,315,301,301,88,88,316,320], // utimensat
    [412,0xffff,0xffff,412,0xffff,4412,0xffff,6412,412,0xffff,412,0xffff,412,0xffff,0xffff,0xffff,412,412], // utimensat_time64
    [271,235,235,269,0xffff,4267,5226,6230,251,251,313,313,336,336,0xffff,0xffff,266,271], // utimes
    [190,58,58,190,0xffff,0xffff,0xffff,0xffff,189,189,190,190,113,113,0xffff,0xffff,190,190], // vfork
    [111,153,153,111,58,4111,5150,6150,111,111,111,111,111,111,58,58,111,111], // vhangup
    [166,0xffff,0xffff,0xffff,0xffff,4113,0xffff,0xffff,113,113,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // vm86
    [113,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // vm86old
    [316,278,532,343,75,4307,5266,6270,285,285,309,309,294,294,75,75,309,316], // vmsplice
    [273,236,0xffff,313,0xffff,4277,5236,6240,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff,0xffff], // vserver
    [114,61,61,114,260,4114,5059,6059,114,114,114,114,114,114,260,260,114,114], // wait4
    [284,247,529,280,95,4278,5237,6241,272,272,281,281,235,235,95,95,277,284], // waitid
    [7,0xffff,0xffff,0xffff,0xffff,4007,0xffff,0xffff,7,7,0xffff,0xffff,7,7,0xffff,0xffff,7,7], // waitpid
    [4,1,1,4,64,4004,5001,6001,4,4,4,4,4,4,64,64,4,4], // write
    [146,20,516,146,66,4146,5019,6019,146,146,146,146,146,146,66,66,146,146], // writev
];
