// SHA-256, of bytes that may come in parts.
//
// Takes no lock: see sha256.cpp.
#pragma once

#include <openssl/sha.h>

#include <string>

#include "model/bytes.hpp"

namespace tracelite::payload {

class Sha256 {
 public:
  static constexpr std::size_t kSizeBytes = SHA256_DIGEST_LENGTH;

  Sha256();
  void add(Bytes bytes);
  // Once, at the end.
  std::string finish();

 private:
  SHA256_CTX context_;
};

std::string sha256(Bytes bytes);

}  // namespace tracelite::payload
