#!/bin/sh
# Prints the home of a JDK of version 25 or newer: JAVA_HOME when it qualifies, else the lowest
# version found in the usual places. Prints one line that says what to install, and fails, when there is none.
set -u
wanted=25

# Prints the feature version that a JDK's release file states, nothing for anything else.
feature_version() {
  [ -x "$1/bin/java" ] && [ -x "$1/bin/javac" ] && [ -r "$1/release" ] || return 0
  sed -n 's/^JAVA_VERSION="\([0-9][0-9]*\).*/\1/p' "$1/release" | head -n 1
}

if [ -n "${JAVA_HOME:-}" ]; then
  version=$(feature_version "$JAVA_HOME")
  if [ "${version:-0}" -ge "$wanted" ]; then
    printf '%s\n' "$JAVA_HOME"
    exit 0
  fi
fi

best= best_version=
consider() {
  version=$(feature_version "$1")
  [ "${version:-0}" -ge "$wanted" ] || return 0
  if [ -z "$best" ] || [ "$version" -lt "$best_version" ]; then
    best=$1 best_version=$version
  fi
}
for home in /usr/lib/jvm/* /opt/* "${HOME:-/nonexistent}"/.sdkman/candidates/java/* "${HOME:-/nonexistent}"/.jdks/*; do
  consider "$home"
done
on_path=$(command -v java 2>/dev/null) && on_path=$(readlink -f "$on_path") && consider "${on_path%/bin/java}"

if [ -z "$best" ]; then
  echo "llm4msr: no JDK $wanted or newer found; install one (Debian/Ubuntu: apt install openjdk-$wanted-jdk, or https://adoptium.net) or set JAVA_HOME to it" >&2
  exit 1
fi
printf '%s\n' "$best"
