#include <algorithm>
#include <thread>

#include "cpu.h"

#ifdef __linux__
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <string>
#endif

namespace heddle {

#ifdef __linux__
namespace {

// CPUs' worth of time per period that the file at `path` grants, rounded up; 0 where it sets no
// limit. cgroup v2 writes "quota period" or "max period" into cpu.max.
int quotaOf(const std::string& path) {
  FILE* file = fopen(path.c_str(), "r");
  if (!file) return 0;
  long long quota = 0, period = 0;
  const int fields = fscanf(file, "%lld %lld", &quota, &period);
  fclose(file);
  if (fields != 2 || quota <= 0 || period <= 0) return 0;
  return static_cast<int>(std::min<long long>((quota + period - 1) / period, 1 << 20));
}

// The two files of cgroup v1.
int quotaOfVersion1(const std::string& folder) {
  long long values[2] = {0, 0};
  const char* names[2] = {"/cpu.cfs_quota_us", "/cpu.cfs_period_us"};
  for (int i = 0; i < 2; ++i) {
    FILE* file = fopen((folder + names[i]).c_str(), "r");
    if (!file) return 0;
    const int fields = fscanf(file, "%lld", &values[i]);
    fclose(file);
    if (fields != 1 || values[i] <= 0) return 0;
  }
  return static_cast<int>(std::min<long long>((values[0] + values[1] - 1) / values[1], 1 << 20));
}

// The smallest quota on the way from this process's group up to the root; 0: none.
int cgroupQuota() {
  int smallest = 0;
  auto note = [&](int quota) {
    if (quota > 0 && (smallest == 0 || quota < smallest)) smallest = quota;
  };
  FILE* file = fopen("/proc/self/cgroup", "r");
  if (!file) return 0;
  char line[4096];
  while (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    // "hierarchy:controllers:path"; no controllers: version 2.
    char* controllers = strchr(line, ':');
    char* path = controllers ? strchr(controllers + 1, ':') : nullptr;
    if (!path) continue;
    const bool version2 = path == controllers + 1;
    *path++ = 0;
    if (!version2 && !strstr(controllers, "cpu")) continue;
    for (std::string group = path;; group.resize(group.rfind('/'))) {
      while (!group.empty() && group.back() == '/') group.pop_back();
      note(version2 ? quotaOf("/sys/fs/cgroup" + group + "/cpu.max")
                    : quotaOfVersion1("/sys/fs/cgroup/cpu" + group));
      if (group.empty() || group.rfind('/') == std::string::npos) break;
    }
  }
  fclose(file);
  return smallest;
}

int allowedCpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());  // more than 1024 CPUs
}

}  // namespace

int availableThreads() {
  const int cpus = allowedCpus();
  const int quota = cgroupQuota();
  return std::clamp(quota > 0 ? std::min(cpus, quota) : cpus, 1, 256);
}
#else
int availableThreads() {
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 256);
}
#endif

}  // namespace heddle
