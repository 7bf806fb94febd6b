#!/bin/sh
# Writes into the folder secrets/ what compose.yaml needs: a random password for each user of Redis, and Redis' ACL file
# with their hashes. Run it once, as root: the files then belong to the user of the containers, 10001.
set -eu
cd "$(dirname "$0")"
acl=../../supervisor/pageworker_supervisor/redis_client/pageworker.acl
umask 077
mkdir secrets
# Redis loads its append-only file as the user `default`, so that user is off and keeps its permissions.
echo "user default off resetpass ~* &* +@all" >secrets/users.acl
while read -r user name off resetpass rights; do
  od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"secrets/$name.password"
  hash=$(sha256sum <"secrets/$name.password")
  echo "$user $name on resetpass #${hash%% *} $rights" >>secrets/users.acl
done <"$acl"
[ "$(id -u)" != 0 ] || chown -R 10001:10001 secrets
echo "secrets/ has $(ls secrets | tr '\n' ' ')"
