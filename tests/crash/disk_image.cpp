#include "crash/disk_image.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

namespace tracelite::crash::test {

using recording::Kind;

namespace {

// How much of what is pending an image has: nothing, everything, or each with this probability.
bool toss(std::mt19937_64& random, unsigned per_cent) { return random() % 100 < per_cent; }

void put_sector(std::string& bytes, std::uint64_t sector, const std::string& data) {
  const std::size_t offset = sector * kSectorSizeBytes;
  if (offset >= bytes.size()) return;
  const std::size_t size = std::min(data.size(), bytes.size() - offset);
  bytes.replace(offset, size, data, 0, size);
}

}  // namespace

void Disk::File::keep(std::uint64_t operation, std::uint64_t sector) {
  const std::size_t offset = sector * kSectorSizeBytes;
  std::vector<Version>& versions = pending[sector];
  std::string bytes =
      offset < current.size() ? current.substr(offset, kSectorSizeBytes) : std::string();
  bytes.resize(kSectorSizeBytes, '\0');
  versions.push_back(Version{operation, std::move(bytes)});
}

void Disk::File::write(std::uint64_t operation, std::uint64_t offset, const std::string& data) {
  if (data.empty()) return;
  if (offset + data.size() > current.size()) {
    current.resize(offset + data.size(), '\0');
    sizes.push_back(Size{operation, current.size()});
  }
  current.replace(offset, data.size(), data);
  const std::uint64_t last = (offset + data.size() - 1) / kSectorSizeBytes;
  for (std::uint64_t sector = offset / kSectorSizeBytes; sector <= last; ++sector) {
    keep(operation, sector);
  }
}

void Disk::File::resize(std::uint64_t operation, std::uint64_t size_bytes) {
  const std::uint64_t before = current.size();
  current.resize(size_bytes, '\0');
  sizes.push_back(Size{operation, size_bytes});
  // What was cut off reads as zeros if the file grows again.
  for (std::uint64_t offset = size_bytes; offset < before; offset += kSectorSizeBytes) {
    keep(operation, offset / kSectorSizeBytes);
  }
}

void Disk::File::sync() {
  durable.resize(current.size(), '\0');
  for (const auto& [sector, versions] : pending) {
    const std::size_t offset = sector * kSectorSizeBytes;
    if (offset < current.size()) {
      put_sector(durable, sector, current.substr(offset, kSectorSizeBytes));
    }
  }
  pending.clear();
  sizes.clear();
}

void Disk::File::sync_range(std::uint64_t offset, std::uint64_t size_bytes) {
  const std::uint64_t end = std::min<std::uint64_t>(offset + size_bytes, current.size());
  if (end <= offset) return;
  if (durable.size() < end) durable.resize(end, '\0');
  for (std::uint64_t sector = offset / kSectorSizeBytes; sector * kSectorSizeBytes < end;
       ++sector) {
    put_sector(durable, sector, current.substr(sector * kSectorSizeBytes, kSectorSizeBytes));
    pending.erase(sector);
  }
  std::erase_if(sizes, [&](const Size& size) { return size.size_bytes <= durable.size(); });
}

std::string Disk::File::image(Choice choice, std::mt19937_64& random) const {
  if (choice == Choice::all) return current;
  std::string bytes = durable;
  if (choice == Choice::none || (pending.empty() && sizes.empty())) return bytes;
  enum class Way : std::uint8_t { operations, sectors, until, all_but_one, count };
  const auto way = static_cast<Way>(random() % static_cast<unsigned>(Way::count));
  constexpr std::array<unsigned, 5> kShares = {3, 20, 50, 80, 97};
  const unsigned share = kShares[random() % kShares.size()];
  // One coin for each operation, in the order of their coming.
  std::map<std::uint64_t, bool> is_there;
  for (const auto& [sector, versions] : pending) {
    for (const Version& version : versions) is_there[version.operation] = true;
  }
  for (const Size& size : sizes) is_there[size.operation] = true;
  const std::size_t special = random() % is_there.size();
  std::size_t place = 0;
  for (auto& [operation, there] : is_there) {
    if (way == Way::operations) there = toss(random, share);
    if (way == Way::until) there = place < special;
    if (way == Way::all_but_one) there = place != special;
    // The one at the cut is torn below.
    ++place;
  }
  const std::uint64_t torn =
      std::next(is_there.begin(), static_cast<std::ptrdiff_t>(special))->first;

  std::uint64_t size_bytes = durable.size();
  for (const Size& size : sizes) {
    const bool there = way == Way::sectors ? toss(random, share) : is_there[size.operation];
    if (there || (way == Way::until && size.operation == torn && toss(random, 50))) {
      size_bytes = size.size_bytes;
    }
  }
  bytes.resize(size_bytes, '\0');
  for (const auto& [sector, versions] : pending) {
    const Version* chosen = nullptr;
    for (const Version& version : versions) {
      bool there = is_there[version.operation];
      if (way == Way::sectors) there = toss(random, share);
      if (way == Way::until && version.operation == torn) there = toss(random, 50);
      if (there) chosen = &version;
    }
    if (chosen != nullptr) put_sector(bytes, sector, chosen->bytes);
  }
  return bytes;
}

void Disk::rename(Names& names, const Naming& naming) {
  switch (naming.kind) {
    case Kind::create:
      names[naming.name] = naming.file;
      break;
    case Kind::unlink:
      names.erase(naming.name);
      break;
    case Kind::rename:
      // With a gap before it, the old name may be another file's by now.
      if (const auto found = names.find(naming.name);
          found != names.end() && found->second == naming.file) {
        names.erase(found);
      }
      names[naming.to] = naming.file;
      break;
    case Kind::link:
      names[naming.to] = naming.file;
      break;
    default:
      break;
  }
}

Disk::Names Disk::names(Choice choice, std::mt19937_64& random) const {
  Names names = durable_names_;
  const std::size_t until = namings_.empty() ? 0 : random() % (namings_.size() + 1);
  const bool has_gaps = toss(random, 50);
  for (std::size_t i = 0; i < namings_.size(); ++i) {
    bool there = choice == Choice::all;
    if (choice == Choice::random) there = has_gaps ? toss(random, 50) : i < until;
    if (there) rename(names, namings_[i]);
  }
  return names;
}

void Disk::apply(const recording::Entry& entry) {
  const std::uint64_t operation = ++operation_;
  switch (entry.kind) {
    case Kind::create:
    case Kind::rename:
    case Kind::link:
    case Kind::unlink:
      namings_.push_back(Naming{entry.kind, entry.file, entry.name, entry.to});
      break;
    case Kind::write:
      files_[entry.file].write(operation, entry.offset, entry.data);
      break;
    case Kind::punch:
      files_[entry.file].write(operation, entry.offset, std::string(entry.size_bytes, '\0'));
      break;
    case Kind::truncate:
      files_[entry.file].resize(operation, entry.offset);
      break;
    case Kind::sync:
      files_[entry.file].sync();
      break;
    case Kind::sync_range:
      files_[entry.file].sync_range(entry.offset, entry.size_bytes);
      break;
    case Kind::sync_folder:
      for (const Naming& naming : namings_) rename(durable_names_, naming);
      namings_.clear();
      break;
    case Kind::mark:
      break;
  }
}

bool Disk::has_pending() const {
  return !namings_.empty() || std::ranges::any_of(files_, [](const auto& file) {
    return !file.second.pending.empty() || !file.second.sizes.empty();
  });
}

Image Disk::image(Choice choice, std::mt19937_64& random) const {
  constexpr unsigned kExtremePerCent = 15;
  Image image;
  // Names and bytes have fates of their own.
  Choice of_names = choice;
  if (choice == Choice::random && toss(random, kExtremePerCent)) of_names = Choice::all;
  for (const auto& [name, file] : names(of_names, random)) {
    Choice of_file = choice;
    if (choice == Choice::random && toss(random, kExtremePerCent)) of_file = Choice::none;
    const auto found = files_.find(file);
    image[name] = found == files_.end() ? std::string() : found->second.image(of_file, random);
  }
  return image;
}

}  // namespace tracelite::crash::test
