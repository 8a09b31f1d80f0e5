#!/bin/sh
# Gives the cluster sections of its configuration, each from /etc/corosync/SECTION.xml, and says which of them were other
# ones; with --look it only says it. What the cluster itself keeps among its properties stays.
set -eu

look=
[ "$1" != --look ] || { look=1; shift; }

give() {
    echo "changed: $section"
    [ -n "$look" ] || cibadmin "$@" --scope "$section" --xml-file "$file"
}

for section in "$@"; do
    file=/etc/corosync/$section.xml
    now=$(mktemp)
    cibadmin --query --scope "$section" > "$now"
    if [ "$section" != crm_config ]; then
        crm_diff --original "$now" --new "$file" > /dev/null || give --replace
    else
        sed -n 's/ *\(<nvpair .*\)/\1/p' "$file" > "$now.wanted"
        [ "$(grep -cF -f "$now.wanted" "$now")" = "$(wc -l < "$now.wanted")" ] || give --modify --allow-create
        rm -f "$now.wanted"
    fi
    rm -f "$now"
done
