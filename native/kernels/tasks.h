// How a product [rows, columns] is cut into tasks for the team.
#pragma once

#include "kernels/tile.h"

namespace heddle::HEDDLE_ISA {

// Rows of x that stay in the second-level cache, kBlockDepth deep, while panels pass by; whole
// tiles of every instruction set.
constexpr int64_t kChunkRows = 144;
// Panels whose sums stay there too, between one block of k and the next.
constexpr int64_t kGroupPanels = 8;
// Enough for the last ones to even out, also where a core is shared with other work.
constexpr int64_t kTasksPerThread = 6;

// Tasks are numbered chunk by chunk, so that a thread mostly keeps its rows.
struct Tasks {
  int64_t rows, columns;
  int64_t chunks, groups;  // even shares of the rows and of the panels
  int64_t panels;
};

struct Task {
  int64_t row, rows;
  int64_t panel, column, columns;
};

static inline Tasks cutTasks(int64_t rows, int64_t columns, int threads) {
  Tasks tasks = {rows, columns, divideUp(rows, kChunkRows), 0, divideUp(columns, kPanel)};
  if (rows == 0 || columns == 0) return tasks;
  // Few rows take several panels at once (multiplyFewRows).
  const int64_t least = rows <= kTileRows ? kTileRows / rows : 1;
  const int64_t wanted = divideUp(threads * kTasksPerThread, tasks.chunks);
  const int64_t fitting = divideUp(tasks.panels, kGroupPanels);
  const int64_t groups = wanted > fitting ? wanted : fitting;
  tasks.groups = smaller(groups, divideUp(tasks.panels, least));
  return tasks;
}

HEDDLE_INLINE int64_t countTasks(const Tasks& tasks) { return tasks.chunks * tasks.groups; }

static inline Task taskAt(const Tasks& tasks, int64_t number) {
  const int64_t chunk = number / tasks.groups, group = number % tasks.groups;
  Task task;
  task.row = tasks.rows * chunk / tasks.chunks;
  task.rows = tasks.rows * (chunk + 1) / tasks.chunks - task.row;
  task.panel = tasks.panels * group / tasks.groups;
  task.column = task.panel * kPanel;
  const int64_t end = tasks.panels * (group + 1) / tasks.groups * kPanel;
  task.columns = smaller(end, tasks.columns) - task.column;
  return task;
}

// Blocks of k: even shares of at most `most`, multiples of `unit`, at least one block (of depth 0).
struct DepthBlocks {
  int64_t depth, count, size;
};

static inline DepthBlocks cutDepth(int64_t depth, int64_t most = kBlockDepth, int64_t unit = 2) {
  const int64_t count = depth > 0 ? divideUp(depth, most) : 1;
  return {depth, count, divideUp(divideUp(depth, count), unit) * unit};
}

}  // namespace heddle::HEDDLE_ISA
