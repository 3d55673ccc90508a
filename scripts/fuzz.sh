#!/bin/sh
# Builds the fuzz targets with Clang and runs them, sharing the time: scripts/fuzz.sh SECONDS [BUILD]
set -eu
cd "$(dirname "$0")/.."
seconds=${1:?usage: scripts/fuzz.sh SECONDS [BUILD]}
build=${2:-build/fuzz}

mkdir -p "$build"
cmake -S . -B "$build" -DCMAKE_CXX_COMPILER="${FUZZ_CXX:-clang++-14}" -DHEDDLE_FUZZ=ON \
  -DHEDDLE_OPENMP=OFF -DHEDDLE_SANITIZE=address,undefined,fuzzer-no-link \
  >"$build/build.log" 2>&1 || { cat "$build/build.log"; exit 1; }
cmake --build "$build" -j2 >>"$build/build.log" 2>&1 || { tail -50 "$build/build.log"; exit 1; }
node native/fuzz/seeds.mjs "$build/corpus"

# All at once, so that they have `seconds` of a processor together, whatever the number of cores.
targets=$(ls "$build"/fuzz_* | grep -v '\.')
count=$(echo "$targets" | wc -l)
cores=$(getconf _NPROCESSORS_ONLN)
each=$((seconds / (cores < count ? cores : count)))
fuzz() {
  name=$(basename "$1" | sed 's/^fuzz_//')
  mkdir -p "$build/found/$name"
  "$1" -max_total_time=$((each > 0 ? each : 1)) -timeout=5 \
    -malloc_limit_mb=64 -rss_limit_mb=512 -max_len=4096 -print_final_stats=1 \
    -artifact_prefix="$build/found/$name/" "$build/corpus/$name" >"$build/$name.log" 2>&1 ||
    { tail -60 "$build/$name.log"; return 1; }
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log")
  echo "fuzz $name: $runs executions, no fault"
}
running=
for target in $targets; do
  fuzz "$target" &
  running="$running $!"
done
failed=0
for process in $running; do
  wait "$process" || failed=1
done
exit $failed
