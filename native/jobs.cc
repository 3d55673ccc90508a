#include "jobs.h"

#include <string.h>

#include <utility>
#include <vector>

#include "checked.h"
#include "weights.h"

namespace heddle {
namespace {

class RunJob : public Job {
 public:
  RunJob(std::shared_ptr<const Plan> plan, const RunRequest& request,
         std::function<void(const Error*)> done)
      : plan_(std::move(plan)),
        symbols_(request.symbols, request.symbols + plan_->capacities.size()),
        outputs_(request.outputs, request.outputs + plan_->outputs.size()),
        profile_(request.profile),
        done_(std::move(done)) {
    copyInputs(request.inputs);
  }

  void execute(const Workbench& bench) override {
    Engine::counters().runs += 1;
    Engine::counters().nodes += static_cast<int64_t>(plan_->nodes.size());
    runPlan(*plan_, {symbols_.data(), inputs_.data(), outputs_.data(), &bench.cancelled, profile_},
            bench.workers, bench.pool);
  }

  void finish(const Error* error) noexcept override {
    plan_.reset();
    copies_ = AlignedBuffer();
    done_(error);
  }

 private:
  void copyInputs(const void* const* sources) {
    int64_t total = 0;
    std::vector<int64_t> bytes;
    for (int32_t number : plan_->inputs) {
      const Value& value = plan_->values[static_cast<size_t>(number)];
      bytes.push_back(plan_->elements(value, symbols_.data()) * dtypeBytes(value.dtype));
      total += alignUp(bytes.back());
    }
    copies_ = AlignedBuffer(total);
    char* at = static_cast<char*>(copies_.data());
    for (size_t i = 0; i < bytes.size(); ++i) {
      if (bytes[i] > 0) memcpy(at, sources[i], static_cast<size_t>(bytes[i]));
      inputs_.push_back(at);
      at += alignUp(bytes[i]);
    }
  }

  std::shared_ptr<const Plan> plan_;
  std::vector<int64_t> symbols_;
  AlignedBuffer copies_;
  std::vector<const void*> inputs_;
  std::vector<void*> outputs_;
  double* profile_;
  std::function<void(const Error*)> done_;
};

class LoadJob : public Job {
 public:
  LoadJob(std::vector<FileRange> ranges, DType dtype, Form form,
          std::function<void(std::shared_ptr<State>, const Error*)> done)
      : ranges_(std::move(ranges)), dtype_(dtype), form_(form), done_(std::move(done)) {}

  void execute(const Workbench& bench) override {
    state_ = std::make_shared<State>(loadWeights(ranges_, dtype_, form_, bench));
  }

  void finish(const Error* error) noexcept override {
    done_(error ? nullptr : std::move(state_), error);
  }

 private:
  std::vector<FileRange> ranges_;
  DType dtype_;
  Form form_;
  std::shared_ptr<State> state_;
  std::function<void(std::shared_ptr<State>, const Error*)> done_;
};

}  // namespace

void submitRun(Group* group, std::shared_ptr<const Plan> plan, const RunRequest& request,
               std::shared_ptr<CancelFlag> cancel, std::function<void(const Error*)> done) {
  auto job = std::make_unique<RunJob>(std::move(plan), request, std::move(done));
  Engine::instance().submit(std::move(job), group, std::move(cancel), request.priority);
}

void submitLoad(Group* group, std::vector<FileRange> ranges, DType dtype, Form form,
                std::function<void(std::shared_ptr<State>, const Error*)> done) {
  auto job = std::make_unique<LoadJob>(std::move(ranges), dtype, form, std::move(done));
  Engine::instance().submit(std::move(job), group, nullptr, 0);
}

}  // namespace heddle
