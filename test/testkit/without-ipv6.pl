# Runs a command as on a machine that was started with ipv6.disable=1: the kernel
# answers EAFNOSUPPORT to whoever wants such a socket. Linux on x86-64 or arm64.
#
#   perl without-ipv6.pl COMMAND [ARGUMENT ...]
use strict;
use warnings;

my $is_arm = `uname -m` =~ /aarch64/;
my ($prctl, $socket) = $is_arm ? (167, 198) : (157, 41);
my ($inet6, $unsupported) = (10, 97);

# A program for the kernel's packet filter, applied to system calls: code, jump
# when true, jump when false, operand.
my @filter = (
    [0x20, 0, 0, 0],                            # load the number of the call
    [0x15, 0, 3, $socket],                      # not socket(): allow
    [0x20, 0, 0, 16],                           # load its first argument
    [0x15, 0, 1, $inet6],                       # not IPv6: allow
    [0x06, 0, 0, 0x00050000 | $unsupported],    # fail
    [0x06, 0, 0, 0x7fff0000],                   # allow
);
my $code = join "", map { pack "SCCL", @$_ } @filter;
my $program = pack "S x![P] P", scalar @filter, $code;

# No program that this becomes may gain rights; the kernel wants that first.
syscall($prctl, 38, 1, 0, 0, 0) == 0 or die "no_new_privs: $!\n";
syscall($prctl, 22, 2, $program, 0, 0) == 0 or die "seccomp: $!\n";
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n";
