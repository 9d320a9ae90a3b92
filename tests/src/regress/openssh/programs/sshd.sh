#!/bin/sh
# sshd for OpenSSH's regression tests: a server that listens does so behind the gateway, which has the port that the tests were given.
case " $* " in
*" -i "* | *" -T "* | *" -t "*) exec /usr/sbin/sshd "$@" ;;
esac
exec /usr/sbin/sshd -p "$SUITE_BEHIND" "$@"
