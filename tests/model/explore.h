// SPDX-License-Identifier: MIT
// explore.h: all interleavings of a few threads, each written as single atomic steps; every state once.
//
// A model is a struct with
//   State            what memory and threads are; plain bytes without padding, zeroed first
//   n_threads()
//   step(State *, int thread, int choice): one step of one thread; false: that step is not possible now
//   choices()        how many different steps a thread may have (a clock that passes, a false alarm)
//   broken(State)    what is wrong with a state, or NULL
//   finished(State)  all that had to happen has happened
//   text(State)      for people
#ifndef TESTS_MODEL_EXPLORE_H
#define TESTS_MODEL_EXPLORE_H
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

struct Verdict {
	std::string fault; // empty: none
	std::string path;  // how it comes to that, a line for each step
	size_t n_states = 0;
};

template <typename Model> class Explorer
{
      public:
	using State = typename Model::State;

	explicit Explorer(const Model &model) : model_(model) {}

	// Fails on a broken state, and on one from which no way leads to the finish: there something was lost.
	Verdict explore(const State &first)
	{
		Verdict verdict;
		(void) number_of(first);
		for (size_t at = 0; at < states_.size() && verdict.fault.empty(); at++)
			verdict.fault = visit(at);
		if (verdict.fault.empty())
			verdict.fault = find_dead_end();
		verdict.path = path_;
		verdict.n_states = states_.size();
		return verdict;
	}

      private:
	size_t number_of(const State &state)
	{
		std::string key(reinterpret_cast<const char *>(&state), sizeof(state));
		auto found = numbers_.emplace(std::move(key), states_.size());
		if (found.second) {
			states_.push_back(state);
			before_.emplace_back();
		}
		return found.first->second;
	}

	std::string visit(size_t at)
	{
		const char *broken = model_.broken(states_[at]);
		if (broken != nullptr) {
			note_path(at);
			return broken;
		}
		for (int thread = 0; thread < model_.n_threads(); thread++)
			for (int choice = 0; choice < model_.choices(); choice++) {
				State next = states_[at];
				if (!model_.step(&next, thread, choice))
					continue;
				before_[number_of(next)].push_back((uint32_t) at);
			}
		return "";
	}

	// Backwards from every finished state.
	std::string find_dead_end()
	{
		std::vector<bool> reaches(states_.size());
		std::vector<uint32_t> todo;
		for (size_t at = 0; at < states_.size(); at++)
			if (model_.finished(states_[at])) {
				reaches[at] = true;
				todo.push_back((uint32_t) at);
			}
		while (!todo.empty()) {
			uint32_t at = todo.back();
			todo.pop_back();
			for (uint32_t from : before_[at])
				if (!reaches[from]) {
					reaches[from] = true;
					todo.push_back(from);
				}
		}
		for (size_t at = 0; at < states_.size(); at++)
			if (!reaches[at]) {
				note_path(at);
				return "something is left for ever";
			}
		return "";
	}

	// A shortest one: states are found in the order of their distance.
	void note_path(size_t at)
	{
		path_ = "\n" + model_.text(states_[at]) + path_;
		if (at != 0)
			note_path(before_[at][0]);
	}

	const Model &model_;
	std::string path_;
	std::vector<State> states_;
	std::vector<std::vector<uint32_t>> before_;
	std::unordered_map<std::string, size_t> numbers_;
};
#endif
