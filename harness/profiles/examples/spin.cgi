#!/bin/sh
# What OSTEP's spin.cgi answers; this one sleeps, and leaves the CPU to others.
sleep "$QUERY_STRING"
body="spun for $QUERY_STRING s"
printf 'Content-Length: %d\r\nContent-Type: text/html\r\n\r\n%s' "${#body}" "$body"
