#!/usr/bin/env bash
# Installs the package on this very machine, looks at all that it should do, removes it, and looks whether anything of
# it is left: packaging/test-package.sh FILE.deb
# Needs root, a machine without rawbench, and apt for the package's dependencies. Elsewhere it says that it is skipped;
# with RAWBENCH_REQUIRE_PACKAGE=1 that is a failure.
set -euo pipefail
umask 022

deb=${1:?call it as: packaging/test-package.sh FILE.deb}
[ -f "$deb" ] || { echo "there is no package $deb; packaging/build.sh makes it" >&2; exit 1; }
broker=/usr/libexec/rawbench-broker
profile=/etc/apparmor.d/rawbench
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

skip() {
    echo "SKIPPED: the test of the package: $1" >&2
    [ -z "${RAWBENCH_REQUIRE_PACKAGE:-}" ]
    exit
}

[ "$(id -u)" -eq 0 ] || skip "it needs root, to install and remove the package"
[ "$(dpkg-query -W -f='${db:Status-Status}' rawbench 2>/dev/null || true)" = "" ] ||
    skip "rawbench is installed here, and the test would remove it"
! getent group rawbench >/dev/null || skip "there is a group rawbench here, and the test would remove it"
[ ! -e "$profile" ] || skip "$profile is there, and the test would remove it"

work=$(mktemp -d /var/tmp/rawbench-package.XXXXXX)
rule=/etc/polkit-1/rules.d/00-rawbench-test.rules
made_apparmor='' polkitd='' bus='' display='' window=''
cleaned() {
    local status=$?
    set +e
    close_window
    stop_polkit
    dpkg-statoverride --quiet --remove "$broker" 2>/dev/null
    dpkg --purge --force-remove-reinstreq rawbench >"$work/purge" 2>&1 || cat "$work/purge"
    ! getent group rawbench >/dev/null || groupdel rawbench
    rm -f "$profile"
    [ -z "$made_apparmor" ] || rmdir --ignore-fail-on-non-empty /etc/apparmor.d
    rm -rf "$work"
    [ "$status" -eq 0 ] || echo "the test of the package FAILED" >&2
}
trap cleaned EXIT

fail() {
    echo "$1" >&2
    exit 1
}

# What a command says, against what it should say.
same() {
    [ "$2" = "$3" ] || fail "$1: '$2', it should be '$3'"
}

# All names that a package could leave behind, without what programs keep for themselves.
names() {
    find /etc /usr /opt /srv /var/lib -xdev \
        \( -path /var/lib/apt -o -path /usr/local -o -name __pycache__ -o -name '*.cache' \) -prune -o -print |
        grep -vE '^/etc/[a-z]+-$|^/var/lib/(dpkg/.*-old|systemd/|polkit-1/)' | sort
}

# dpkg, also of the files that a container's settings leave out.
install_package() {
    dpkg --path-include='/usr/share/*' --install "$deb" >"$work/dpkg" 2>&1 || { cat "$work/dpkg"; fail "dpkg --install"; }
}

answer() {
    echo "rawbench rawbench/group-access boolean $1" | debconf-set-selections
    dpkg-reconfigure rawbench
}

# $1 owner, group and mode; $2 capability.
expect_broker() {
    same "owner and mode of $broker" "$(stat -c '%U:%G %a' "$broker")" "$1"
    same "capability of $broker" "$(getcap "$broker" | cut -s -d' ' -f2)" "$2"
}

# A user with no more than the groups named.
as_user() {
    (cd / && setpriv --reuid=65534 --regid=65534 "$1" --inh-caps=-all env -i HOME=/nonexistent LC_ALL=C.UTF-8 "${@:2}")
}

may_capture() {
    as_user "$1" /usr/bin/rawbench capture -i lo --duration 0.1 >/dev/null 2>"$work/said"
}

# $1: what polkit says to nobody, YES or NO, in place of the question for a password.
polkit_says() {
    printf 'polkit.addRule(function(action, subject) {\n    if (action.id == "org.rawbench.broker") return polkit.Result.%s;\n});\n' \
        "$1" >"$rule"
    # polkitd watches the directory.
    sleep 1
}

start_polkit() {
    if [ ! -S /run/dbus/system_bus_socket ]; then
        mkdir -p /run/dbus
        dbus-daemon --system --nofork --nopidfile >/dev/null 2>&1 &
        bus=$!
        for _ in $(seq 50); do [ -S /run/dbus/system_bus_socket ] && break || sleep 0.1; done
    fi
    if ! pgrep -x polkitd >/dev/null; then
        /usr/lib/polkit-1/polkitd --no-debug >/dev/null 2>&1 &
        polkitd=$!
    fi
    mkdir -p "$(dirname "$rule")"
}

stop_polkit() {
    rm -f "$rule"
    [ -z "$polkitd" ] || kill "$polkitd"
    [ -z "$bus" ] || { kill "$bus"; rm -f /run/dbus/system_bus_socket; }
    polkitd='' bus=''
}

close_window() {
    [ -z "$window" ] || { kill "$window"; wait "$window"; rm -rf /var/tmp/rawbench-65534; } || true
    [ -z "$display" ] || kill "$display" || true
    window='' display=''
}

# What pkexec and our policy make of a start by an ordinary user: a socket after a yes, a message after a no, and a
# window that holds nothing.
check_pkexec() {
    local number status=0 line
    start_polkit
    polkit_says YES
    may_capture --clear-groups || { cat "$work/said"; fail "nobody may capture though polkit says yes"; }
    as_user --clear-groups /usr/bin/rawbench send --json 'ip(dst=127.0.0.1)/icmp' >"$work/sent"
    grep -q '"kind":"echo-reply"' "$work/sent" || fail "no answer through pkexec: $(cat "$work/sent")"
    mkfifo "$work/display"
    Xvfb -displayfd 3 -screen 0 1280x800x24 -nolisten tcp -ac 3>"$work/display" 2>/dev/null &
    display=$!
    read -r number <"$work/display"
    # Where captures stand of who has no home.
    rm -rf /var/tmp/rawbench-65534
    (cd / && exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all env -i HOME=/nonexistent \
        DISPLAY=":$number" LIBGL_ALWAYS_SOFTWARE=1 /usr/bin/rawbench -i lo -k) >/dev/null 2>"$work/said" &
    window=$!
    # The capture stands in a file as soon as it runs.
    for _ in $(seq 100); do ls /var/tmp/rawbench-65534/*.pcapng >/dev/null 2>&1 && break || sleep 0.1; done
    ls /var/tmp/rawbench-65534/*.pcapng >/dev/null || { cat "$work/said"; fail "the window does not capture through pkexec"; }
    for line in 'CapInh:.0000000000000000' 'CapPrm:.0000000000000000' 'CapEff:.0000000000000000' \
        'CapAmb:.0000000000000000' 'NoNewPrivs:.1' 'Uid:.65534.65534.65534.65534' 'Groups:[[:space:]]*$'; do
        grep -qE "^$line" "/proc/$window/status" || fail "the window behind pkexec: no $line in $(cat "/proc/$window/status")"
    done
    close_window
    polkit_says NO
    as_user --clear-groups /usr/bin/rawbench capture -i lo --duration 0.1 >/dev/null 2>"$work/said" || status=$?
    same "exit status after a no" "$status" 3
    grep -q 'permission was asked for (pkexec) and not given' "$work/said" || fail "after a no: $(cat "$work/said")"
    stop_polkit
}

check_files() {
    local path size owner mode page
    for path in /usr/bin/rawbench "$broker" \
        /usr/share/applications/rawbench.desktop /usr/share/metainfo/org.rawbench.rawbench.metainfo.xml \
        /usr/share/icons/hicolor/scalable/apps/rawbench.svg \
        /usr/share/polkit-1/actions/org.rawbench.broker.policy /usr/share/rawbench/apparmor-profile \
        /usr/share/bash-completion/completions/rawbench /usr/share/zsh/vendor-completions/_rawbench \
        /usr/share/fish/vendor_completions.d/rawbench.fish \
        /usr/share/man/man1/rawbench.1.gz /usr/share/man/man8/rawbench-broker.8.gz \
        /usr/share/doc/rawbench/{copyright,changelog.Debian.gz,README.Debian,third-party.gz}; do
        [ -s "$path" ] || fail "$path is missing"
    done
    for size in 16 22 24 32 48 64 128 256 512; do
        path=/usr/share/icons/hicolor/${size}x$size/apps/rawbench.png
        # Width and height stand in the bytes 16 to 23 of a PNG.
        same "size of $path" "$(od -An -tu1 -j16 -N8 "$path" | awk '{ print $3 * 256 + $4 "x" $7 * 256 + $8 }')" "${size}x$size"
    done
    while read -r path; do
        read -r owner mode < <(stat -c '%U:%G %a' "$path")
        same "owner of $path" "$owner" root:root
        case $path in
            /usr/bin/rawbench | "$broker") same "mode of $path" "$mode" 755 ;;
            *) [ -d "$path" ] || same "mode of $path" "$mode" 644 ;;
        esac
    done < <(dpkg -L rawbench | grep -E '/.*rawbench')

    # Each command has its page, and no page has a mistake in it.
    for page in $(rawbench --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]\+\) .*/\1/p'); do
        [ "$page" = help ] || [ -s "/usr/share/man/man1/rawbench-$page.1.gz" ] || fail "rawbench-$page(1) is missing"
        [ "$page" = help ] || grep -q "$page" /usr/share/bash-completion/completions/rawbench || fail "no completion of $page"
    done
    for page in /usr/share/man/man1/rawbench*.1.gz /usr/share/man/man8/rawbench-broker.8.gz; do
        man --warnings --local-file "$page" >"$work/page" 2>"$work/warnings" || fail "man $page failed"
        [ -s "$work/page" ] || fail "$page is empty"
        [ ! -s "$work/warnings" ] || fail "$page: $(cat "$work/warnings")"
    done
    bash -c '. /usr/share/bash-completion/completions/rawbench && complete -p rawbench' >/dev/null
    ! command -v zsh >/dev/null || zsh -n /usr/share/zsh/vendor-completions/_rawbench
    ! command -v fish >/dev/null || fish --no-execute /usr/share/fish/vendor_completions.d/rawbench.fish
}

check_programs() {
    local status=0
    same "rawbench --version" "$(rawbench --version)" "rawbench $(dpkg-deb -f "$deb" Version | sed 's/-[^-]*$//')"
    "$broker" </dev/null 2>"$work/said" || status=$?
    same "exit status of a broker started by hand" "$status" 2
    grep -q 'not for use by hand' "$work/said" || fail "the broker does not say why it ended"
}

# The postinst, with an AppArmor parser that says yes or no.
with_parser() {
    mkdir -p "$work/bin"
    printf '#!/bin/sh\nexit %s\n' "$1" >"$work/bin/apparmor_parser"
    chmod 755 "$work/bin/apparmor_parser"
    PATH=$work/bin:$PATH dpkg-reconfigure rawbench
}

check_apparmor() {
    if command -v apparmor_parser >/dev/null && apparmor_parser -QTKq /usr/share/rawbench/apparmor-profile 2>/dev/null; then
        [ -s "$profile" ] || fail "$profile is missing, and this system's parser takes it"
    else
        [ ! -e "$profile" ] || fail "$profile is there, and this system's parser does not take it"
    fi
    [ -d /etc/apparmor.d ] || { mkdir /etc/apparmor.d; made_apparmor=1; }
    with_parser 0
    cmp "$profile" /usr/share/rawbench/apparmor-profile
    with_parser 1
    [ ! -e "$profile" ] || fail "$profile is there for a parser that refuses it"
    echo "# the administrator's" >"$profile"
    with_parser 0
    same "$profile of the administrator" "$(cat "$profile")" "# the administrator's"
    rm "$profile"
    dpkg-reconfigure rawbench
}

echo "dependencies"
apt-get -qq satisfy -y --no-install-recommends "$(dpkg-deb -f "$deb" Depends)" >"$work/apt" 2>&1 ||
    { cat "$work/apt"; fail "the dependencies of the package cannot be installed"; }
names >"$work/before"
dpkg-statoverride --list >"$work/overrides" || true

echo "install: nobody may capture without a password"
install_package
expect_broker "root:root 755" ""
! getent group rawbench >/dev/null || fail "there is a group that nobody asked for"
check_files
check_programs
check_apparmor
if command -v pkexec dbus-daemon Xvfb >/dev/null && [ -x /usr/lib/polkit-1/polkitd ]; then
    echo "polkit: yes, and no"
    check_pkexec
else
    echo "SKIPPED: the test of the polkit policy: it needs pkexec, polkitd, dbus-daemon and Xvfb" >&2
    [ -z "${RAWBENCH_REQUIRE_PACKAGE:-}" ] || exit 1
fi
! may_capture --clear-groups || fail "nobody may capture"

echo "answer yes: the members of the group may"
answer true
expect_broker "root:rawbench 750" "cap_net_raw=ep"
may_capture "--groups=$(getent group rawbench | cut -d: -f3)" || fail "a member of the group may not capture"
! may_capture --clear-groups || fail "one who is no member may capture"

echo "upgrade: the answer stays"
install_package
expect_broker "root:rawbench 750" "cap_net_raw=ep"

echo "an override of the administrator's wins"
dpkg-statoverride --update --add root daemon 0710 "$broker"
dpkg-reconfigure rawbench
expect_broker "root:daemon 710" "cap_net_raw=ep"
install_package
expect_broker "root:daemon 710" "cap_net_raw=ep"
dpkg-statoverride --remove "$broker"

echo "answer no: nobody may any more"
answer false
expect_broker "root:root 755" ""
! may_capture "--groups=$(getent group rawbench | cut -d: -f3)" || fail "a member of the group may capture after a no"

echo "remove and purge"
answer true
dpkg --remove rawbench >/dev/null
for path in "$broker" /usr/bin/rawbench "$profile"; do
    [ ! -e "$path" ] || fail "$path is left after the removal"
done
install_package
expect_broker "root:rawbench 750" "cap_net_raw=ep"
dpkg --purge rawbench >/dev/null
names >"$work/after"
diff "$work/before" "$work/after" || fail "the purge left or took files (above)"
! getent group rawbench >/dev/null || fail "the group is left"
same "what debconf knows" "$(debconf-show rawbench)" ""
same "overrides" "$(dpkg-statoverride --list || true)" "$(cat "$work/overrides")"

echo "a group that was there before stays"
groupadd --system rawbench
echo "rawbench rawbench/group-access boolean true" | debconf-set-selections
install_package
expect_broker "root:rawbench 750" "cap_net_raw=ep"
dpkg --purge rawbench >/dev/null
getent group rawbench >/dev/null || fail "the purge removed a group that it did not make"
groupdel rawbench
echo "the package is as it should be"
