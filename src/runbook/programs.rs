//! What is known about programs and variables by name.

use std::collections::HashSet;
use std::sync::LazyLock;

/// How a program reads its arguments or input as code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interpreter {
    /// A shell, or something that hands its arguments to one.
    Shell,
    /// A language of its own; its input is data if its program is an argument.
    Program,
    /// A language of its own; its input is always code.
    Client,
    /// Runs the words after its destination in a shell elsewhere.
    Remote,
}

/// Last part of a path.
pub(super) fn base_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// What sort of interpreter a program is, if any.
pub(super) fn interpreter(name: &str) -> Option<Interpreter> {
    Some(match name {
        "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash" | "fish" | "eval" | "su" | "watch"
        | "parallel" | "trap" | "runuser" | "script" | "entr" | "at" | "batch" => {
            Interpreter::Shell
        }
        "python" | "python2" | "python3" | "perl" | "ruby" | "node" | "php" | "lua" | "awk"
        | "gawk" | "mawk" | "sed" | "ansible" | "salt" | "knife" | "source" | "." => {
            Interpreter::Program
        }
        "mysql" | "mariadb" | "psql" | "sqlite3" | "mongo" | "mongosh" | "vtysh" | "birdc"
        | "gdb" | "redis-cli" => Interpreter::Client,
        "ssh" | "rsh" | "mosh" => Interpreter::Remote,
        _ => return None,
    })
}

/// Names so plain that they mean a shell wherever they stand in a command.
pub(super) fn is_shell(name: &str) -> bool {
    matches!(
        name,
        "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash" | "fish" | "eval"
    )
}

/// Programs that run the command that follows them.
pub(super) fn is_wrapper(name: &str) -> bool {
    matches!(
        base_name(name),
        "sudo"
            | "doas"
            | "env"
            | "timeout"
            | "nice"
            | "ionice"
            | "nohup"
            | "command"
            | "exec"
            | "stdbuf"
            | "time"
            | "xargs"
            | "setsid"
            | "chrt"
            | "taskset"
            | "unbuffer"
            | "builtin"
    )
}

/// Variables that are there without being set by the block.
pub(super) fn is_standard_variable(name: &str) -> bool {
    matches!(
        name,
        "HOME"
            | "PATH"
            | "USER"
            | "LOGNAME"
            | "SHELL"
            | "PWD"
            | "OLDPWD"
            | "LANG"
            | "TZ"
            | "TERM"
            | "TMPDIR"
            | "IFS"
            | "PPID"
            | "OPTARG"
            | "OPTIND"
            | "REPLY"
            | "PAGER"
            | "HOSTNAME"
            | "UID"
            | "EUID"
            | "RANDOM"
            | "SECONDS"
            | "LINENO"
            | "EDITOR"
            | "KUBECONFIG"
            | "NO_COLOR"
            | "COLUMNS"
            | "LINES"
    ) || name.starts_with("LC_")
        || name.starts_with("BASH")
        || name.starts_with("XDG_")
}

/// Variables that only bash sets by itself.
pub(super) fn is_bash_variable(name: &str) -> bool {
    matches!(name, "HOSTNAME" | "UID" | "EUID" | "RANDOM" | "SECONDS") || name.starts_with("BASH")
}

/// True if a program (or builtin) of this name is common enough to be taken for a command.
pub(super) fn is_known(name: &str) -> bool {
    static NAMES: LazyLock<HashSet<&str>> =
        LazyLock::new(|| KNOWN.split_ascii_whitespace().collect());
    NAMES.contains(name)
}

const KNOWN: &str = "
: . [ [[ alias bg break cd command continue declare echo eval exec exit export false fg for case function getopts hash
help history jobs kill let local printf pwd read readonly return select set shift source test time times trap true type
typeset ulimit umask unalias unset wait
ansible ansible-playbook apt apt-cache apt-get aptitude ar arch argocd arp arping at atop awk aws az
b2sum base32 base64 basename bash birdc birdcl blkdiscard blkid blockdev bpftool bpftrace brctl bridge brew btrfs bunzip2 bzcat bzip2
caddy calicoctl capsh cargo cat ceph certbot certtool cfssl chage chattr chcon chef-client chgrp chkconfig chmod chown chroot chrt
chronyc cilium cksum clear cmp comm cmctl conntrack consul coreutils cp cpio crictl cron crontab csplit ctr curl cut
dash date dc dd delv depmod df dhclient dhcpcd diff dig dir dirname dmesg dmidecode dmsetup dnf docker docker-compose doas dos2unix dpkg
dpkg-query dropdb du dump
ebtables ed egrep env envsubst etcdctl ethtool expand expr
faillock fallocate fdisk fgrep file filebeat find findmnt firewall-cmd flock flux fmt fold fping free fsck fstrim fuser
gawk gcc gcloud gdb getcap getconf getenforce getent getfacl git gitlab-ctl gitlab-rails gitlab-rake glab gh gluster go gpg gpg2 gradle
grafana-cli grep groupadd groups grub2-mkconfig gsutil gunzip gzip
halt haproxy hdparm head helm helmfile hexdump host hostname hostnamectl hping3 htop htpasswd httpd hwclock
iconv id ifconfig ifdown iftop ifup ifstat influx init install insmod ionice iostat iotop ip ip6tables ip6tables-save ipcalc ipcs iperf
iperf3 ipmitool ipset iptables iptables-restore iptables-save ipvsadm isql istioctl iw iwconfig
java jcmd jmap join journalctl jps jq jstack jstat
kafka-topics kafka-topics.sh kafka-consumer-groups.sh kafka-consumer-groups keepalived keytool kill killall kind kinit klist knife
kubeadm kubectl kubectx kubens kubelet kustomize
last lastb lastlog ldapsearch ldconfig ldd less ln locale localectl locate logger logger loginctl logrotate losetup ls lsattr lsb_release
lsblk lscpu lsipc lslocks lsmod lsns lsof lspci lsusb lvcreate lvdisplay lvextend lvremove lvresize lvs lynx
mail make man mariadb mawk mc mco md5sum mdadm minikube mkdir mkfifo mkfs mkfs.ext4 mkfs.xfs mknod mkswap mktemp modinfo modprobe mongo
mongod mongosh mongodump more mosh mount mountpoint mpstat mtr multipath mv mvn mysql mysqladmin mysqlbinlog mysqlcheck mysqldump
nano nc ncat ncdu ndppd netcat netplan netstat networkctl newgrp nfsstat nft nginx nice nl nload nmap nmcli node nodetool nohup nomad
noobaa nping npm npx nproc nsenter nslookup nstat nsupdate ntpdate ntpq numactl numastat nvme
oc od oathtool op openssl openstack opensm omc ovn-nbctl ovn-sbctl ovs-appctl ovs-ofctl ovs-vsctl
packer parted partprobe passwd paste patch pcs perf perl pg_ctl pg_dump pg_isready pg_restore pgbackrest pgbench pgrep php pidof pidstat
ping ping6 pip pip3 pkill pm2 podman postconf postqueue postsuper poweroff ps psql pstree pt-query-digest pushd popd puppet pv pvs
pvcreate pvdisplay pwgen pwsh python python2 python3
qemu-img quota
rabbitmqctl rabbitmq-diagnostics rados rbd rclone readarray mapfile readelf readlink realpath reboot redis-cli redis-server renice
resize2fs resolvectl restorecon rev rg rm rmdir rmmod rndc route rpm rsync ruby runuser
salt salt-call sar scp screen sed seq service sestatus setcap setenforce setfacl setpriv setsid sftp sg sgdisk sh sha1sum sha256sum
sha512sum shred shuf shutdown skopeo sleep slurp smartctl smbclient snmpbulkwalk snmpget snmpset snmptranslate snmpwalk socat
socketplane sort split sqlite3 ss ssh ssh-add ssh-agent ssh-copy-id ssh-keygen ssh-keyscan sshd stat stdbuf step strace strings stty
stress stress-ng su sudo sum swapoff swapon swanctl ipsec sync sysctl sysdig systemctl systemd-analyze systemd-cgls systemd-cgtop
systemd-cryptenroll systemd-resolve sysbench
tac tail tailscale talosctl tar taskset tc tcpdump tcptraceroute tctl tee telinit telnet terraform terragrunt thanos time timedatectl
timeout tmux toolbox top touch tput tr tracepath tracepath6 traceroute traceroute6 tree truncate tsh tshark tty tune2fs
udevadm umount uname unbound-control unexpand uniq unlink unshare unzip update-ca-certificates update-ca-trust update-initramfs uptime
useradd userdel usermod users uuidgen
vault vegeta velero vgs vgremove vi vim virsh virtctl visudo vmstat vtysh
w wall warroom watch wc wg wg-quick wget which whereis who whoami whois wipefs wrk wrmsr
xargs xfs_repair xfs_growfs xxd xz xzcat
yarn yes yq yum
zcat zfs zgrep zip zless zpool zsh zstd zypper promtool amtool logcli mimirtool rbenv bundle rake bin/rails
";
