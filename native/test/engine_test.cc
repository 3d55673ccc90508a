// The queue: order, cancelling, groups; and the C API from end to end.
#include "engine.h"

#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "api.h"
#include "test/plan_words.h"

namespace heddle {
namespace {

// What jobs report, in order.
struct Log {
  std::mutex mutex;
  std::string text;
  void add(const std::string& more) {
    std::lock_guard<std::mutex> lock(mutex);
    text += more;
  }
};

class LoggedJob : public Job {
 public:
  LoggedJob(Log& log, std::string name, std::shared_future<void> wait = {})
      : log_(log), name_(std::move(name)), wait_(std::move(wait)) {}

  void execute(const Workbench& bench) override {
    if (!wait_.valid()) return;
    log_.add("(");
    // As a kernel does it: work until there is an end or a cancellation.
    while (wait_.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
      if (bench.cancelled) throw Error(ErrorCode::kCancelled, "cancelled");
    }
  }
  void finish(const Error* error) noexcept override { log_.add(name_ + (error ? "!" : ".")); }

 private:
  Log& log_;
  std::string name_;
  std::shared_future<void> wait_;
};

class Queue : public ::testing::Test {
 protected:
  void submit(const char* name, Group& group, int priority = 0,
              std::shared_ptr<CancelFlag> cancel = nullptr) {
    Engine::instance().submit(std::make_unique<LoggedJob>(log_, name), &group, std::move(cancel),
                              priority);
  }
  // A job that keeps the engine busy until open() or a cancellation; returns when it runs.
  void block(Group& group) {
    Engine::instance().submit(std::make_unique<LoggedJob>(log_, "B", gate_.get_future().share()),
                              &group, nullptr, 0);
    for (;;) {
      std::this_thread::yield();
      std::lock_guard<std::mutex> lock(log_.mutex);
      if (!log_.text.empty()) return;
    }
  }
  void open() { gate_.set_value(); }
  void await(Group& group) {
    std::promise<void> done;
    class Last : public Job {
     public:
      explicit Last(std::promise<void>& done) : done_(done) {}
      void execute(const Workbench&) override {}
      void finish(const Error*) noexcept override { done_.set_value(); }

     private:
      std::promise<void>& done_;
    };
    Engine::instance().submit(std::make_unique<Last>(done), &group, nullptr, -100);
    done.get_future().wait();
    Engine::close(&group);
  }

  Log log_;
  std::promise<void> gate_;
};

TEST_F(Queue, GoesByPriorityThenByArrival) {
  Group group;
  block(group);
  submit("a", group);
  submit("b", group);
  submit("c", group, 1);
  submit("d", group, -1);
  submit("e", group, 1);
  open();
  await(group);
  EXPECT_EQ(log_.text, "(B.c.e.a.b.d.");
}

TEST_F(Queue, ACancelledJobDoesNotRun) {
  Group group;
  block(group);
  auto flag = std::make_shared<CancelFlag>();
  submit("a", group, 0, flag);
  submit("b", group);
  flag->requested = 1;
  open();
  await(group);
  EXPECT_EQ(log_.text, "(B.a!b.");
}

TEST_F(Queue, ClosingAGroupCancelsAndAwaitsItsOwnJobsOnly) {
  Group mine, other;
  block(mine);
  submit("a", mine);
  submit("x", other);
  submit("b", mine);
  Engine::close(&mine);
  {
    std::lock_guard<std::mutex> lock(log_.mutex);
    for (const char* own : {"a!", "b!", "B!"}) {
      EXPECT_NE(log_.text.find(own), std::string::npos) << log_.text;
    }
  }
  await(other);
  EXPECT_NE(log_.text.find("x."), std::string::npos) << log_.text;
}

TEST_F(Queue, AClosingGroupDoesNotWaitForOthers) {
  Group mine, other;
  block(other);
  submit("a", mine);
  Engine::close(&mine);
  EXPECT_EQ(log_.text, "(a!");
  open();
  await(other);
}

TEST_F(Queue, AClosedGroupTakesNoMoreJobs) {
  Group group;
  submit("a", group);
  Engine::close(&group);
  EXPECT_THROW(submit("b", group), Error);
}

struct Outcome {
  std::promise<HeddleError> done;
  static void run(void* self, const HeddleError* error) {
    static_cast<Outcome*>(self)->done.set_value(error ? *error : HeddleError{});
  }
};

TEST(Api, RunsAPlan) {
  HeddleError error;
  HeddleGroup* group = heddleOpenGroup(&error);
  test::PlanWords words(Engine::kernels());
  words.symbol(4);
  const int64_t x = words.input({-1, 2}), shift = words.state({2}), out = words.output({-1, 2});
  words.node("add", {x, shift}, out);
  const int64_t dims[] = {2};
  const float shiftData[] = {10, 20};
  HeddleState* state = heddleCreateState(kHeddleFloat32, dims, 1, shiftData, &error);
  ASSERT_NE(state, nullptr) << error.message;
  const std::vector<int64_t> list = words.words();
  HeddlePlan* plan = heddleCreatePlan(list.data(), list.size(), &state, 1, &error);
  ASSERT_NE(plan, nullptr) << error.message;
  heddleReleaseState(state);

  const int64_t rows = 2;
  int64_t inputElements, outputElements;
  ASSERT_TRUE(heddlePlanSizes(plan, &rows, 1, &inputElements, &outputElements, &error));
  EXPECT_EQ(inputElements, 4);
  EXPECT_EQ(outputElements, 4);
  float xData[] = {1, 2, 3, 4}, y[4];
  const void* inputs[] = {xData};
  float* outputs[] = {y};
  double profile[2];
  Outcome outcome;
  const HeddleRun run = {&rows, 1, inputs, outputs, nullptr, profile, 0};
  ASSERT_TRUE(heddleRunPlan(group, plan, &run, Outcome::run, &outcome, &error)) << error.message;
  heddleReleasePlan(plan);
  xData[0] = -1;  // copied already
  const HeddleError result = outcome.done.get_future().get();
  EXPECT_EQ(result.code, kHeddleOk) << result.message;
  EXPECT_EQ(std::vector<float>(y, y + 4), (std::vector<float>{11, 22, 13, 24}));
  EXPECT_LE(profile[0], profile[1]);
  heddleCloseGroup(group);
}

TEST(Api, SaysWhatIsWrong) {
  HeddleError error = {};
  EXPECT_FALSE(heddleSetThreads(0, &error));
  EXPECT_EQ(error.code, kHeddleArgument);
  EXPECT_STREQ(heddleCodeName(error.code), "ERR_ARGUMENT");
  EXPECT_FALSE(heddleStart("vax", 0, &error));
  const int64_t dims[] = {-1};
  EXPECT_EQ(heddleCreateState(kHeddleFloat32, dims, 1, nullptr, &error), nullptr);
  EXPECT_EQ(heddleCreateState(static_cast<HeddleDType>(9), dims, 0, nullptr, &error), nullptr);
  EXPECT_EQ(heddleCreatePlan(nullptr, 0, nullptr, 0, &error), nullptr);
  EXPECT_NE(error.message[0], 0);
}

}  // namespace
}  // namespace heddle
