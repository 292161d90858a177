// What the benchmarks do with a file of tracelite besides asking it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "bench/event.hpp"
#include "bench/progress.hpp"
#include "tracelite/tracelite.hpp"

namespace bench {

// Gives the next bytes: fills a buffer of this capacity, returns how many they are, 0 at the end.
using ReadBytes = std::function<std::size_t(char* buffer, std::size_t capacity_bytes)>;

// Through the importer, at its own batch size; durable when they return. Throw if an event fails.
void import(tracelite::Store& store, const ReadBytes& read);
void import(tracelite::Store& store, std::string_view lines);

void put(tracelite::Store& store, const Event& event);

void compact(const std::string& path, Progress& progress);

std::uint64_t file_size_bytes(const std::string& path);

}  // namespace bench
