#!/bin/sh
# ssh for OpenSSH's regression tests, through the gateway: whatever a test says about users, keys and known hosts, this logs in with a
# token; configurations that start a server of their own (ssh_proxy) reach one that the gateway dials. What can be negotiated is what
# the gateway speaks.
previous=
for word in "$@"; do
	if [ "$previous" = -Q ]; then
		case "$word" in
		kex) printf '%s\n' $SUITE_KEX; exit 0 ;;
		cipher | cipher-auth) printf '%s\n' $SUITE_CIPHERS; exit 0 ;;
		mac) printf '%s\n' $SUITE_MACS; exit 0 ;;
		compression) echo none; exit 0 ;;
		esac
		exec /usr/bin/ssh "$@"
	fi
	previous=$word
done
user=daemon
case "$*" in
*/ssh_proxy*)
	user=proxied
	case "$*" in
	*roxy[Cc]ommand*) ;;
	*) set -- "-oProxyCommand=$SUITE_OBJ/netcat 127.0.0.1 $SUITE_PORT" "$@" ;;
	esac
	;;
esac
SSH_ASKPASS=$SUITE_ASKPASS SSH_ASKPASS_REQUIRE=force
export SSH_ASKPASS SSH_ASKPASS_REQUIRE
exec /usr/bin/ssh -oUser=$user -oBatchMode=no -oPubkeyAuthentication=no -oPasswordAuthentication=yes -oNumberOfPasswordPrompts=1 \
	-oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oGlobalKnownHostsFile=/dev/null "$@"
