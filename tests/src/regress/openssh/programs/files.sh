#!/bin/sh
# sftp and scp for OpenSSH's regression tests: where a test starts a file server, or a copy, as a child of the client (`-D server`, or a
# wrapper that runs scp here), the same goes over ssh instead. Wrappers that play a malicious server are left alone: they test the client.
program=$(basename "$0")
[ -z "$SCPTESTMODE" ] || exec "/usr/bin/$program" "$@"
over= previous=
for word in "$@"; do
	shift
	case "$previous$word" in
	-D | -S) previous=$word && continue ;;
	-D*) over=1 ;;
	-S*/scp-ssh-wrapper.scp) over=1 ;;
	-S*) set -- "$@" -S "$word" ;;
	*) set -- "$@" "$word" ;;
	esac
	previous=
done
[ -n "$over" ] || exec "/usr/bin/$program" "$@"
set -- -S "$SUITE_OBJ/ssh-log-wrapper.sh" -F "$SUITE_OBJ/ssh_proxy" "$@"
[ "$program" = scp ] || set -- "$@" somehost
exec "/usr/bin/$program" "$@"
