// OpenSSL's oldest interface, because it takes no lock. The newer ones look the algorithm up behind
// locks that another thread may hold when the process forks; the child would wait for ever for it.
#include "payload/sha256.hpp"

namespace tracelite::payload {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

Sha256::Sha256() : context_() { SHA256_Init(&context_); }

void Sha256::add(Bytes bytes) { SHA256_Update(&context_, bytes.data(), bytes.size()); }

std::string Sha256::finish() {
  std::string hash(kSizeBytes, '\0');
  SHA256_Final(reinterpret_cast<unsigned char*>(hash.data()), &context_);
  return hash;
}

#pragma GCC diagnostic pop

std::string sha256(Bytes bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.finish();
}

}  // namespace tracelite::payload
