#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: pkg_config.sh <pkg-config> <compiler> <prefix of the installation> <source>
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PKG_CONFIG_PATH="$3/share/pkgconfig"
read -ra flags <<<"$("$1" --cflags weft)"
"$2" -std=c++20 "${flags[@]}" "$4" -o "$folder/consumer"
"$folder/consumer"
