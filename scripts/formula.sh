#!/usr/bin/env bash
# Writes the Homebrew formula of a release to standard output. Usage:
#
#   formula.sh VERSION RELEASES HOMEPAGE SHA256SUMS
#
# RELEASES is the address above vX.Y.Z/. A target that SHA256SUMS does not name is an error.
set -euo pipefail

if [ $# -ne 4 ]; then
    echo "usage: formula.sh VERSION RELEASES HOMEPAGE SHA256SUMS" >&2
    exit 2
fi
version=$1 releases=$2 homepage=$3 sums=$4

# One block of url and sha256 for a target.
source_of() {
    local name=mlloop-$version-$1.tar.gz digest
    digest=$(awk -v name="$name" '$2 == name { print $1 }' "$sums")
    if [ "${#digest}" -ne 64 ]; then
        echo "formula.sh: no SHA-256 of $name in $sums" >&2
        exit 2
    fi
    printf '      url "%s/v%s/%s"\n      sha256 "%s"\n' "$releases" "$version" "$name" "$digest"
}
mac_arm=$(source_of aarch64-apple-darwin)
mac_intel=$(source_of x86_64-apple-darwin)
linux_arm=$(source_of aarch64-unknown-linux-musl)
linux_intel=$(source_of x86_64-unknown-linux-musl)

cat <<FORMULA
class Mlloop < Formula
  desc "Runs the learning loop on tabular data"
  homepage "$homepage"
  version "$version"
  license "Apache-2.0"

  on_macos do
    on_arm do
$mac_arm
    end
    on_intel do
$mac_intel
    end
  end

  on_linux do
    on_arm do
$linux_arm
    end
    on_intel do
$linux_intel
    end
  end

  def install
    bin.install "mlloop"
    man1.install Dir["share/man/man1/*"]
    bash_completion.install "share/bash-completion/completions/mlloop"
    zsh_completion.install "share/zsh/site-functions/_mlloop"
    fish_completion.install "share/fish/vendor_completions.d/mlloop.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/mlloop --version")
  end
end
FORMULA
