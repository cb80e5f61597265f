// SPDX-License-Identifier: MIT
#pragma once

/// Structures of atoms in extended XYZ files.

#include <weft/io/extxyz_reader.hpp>
#include <weft/io/extxyz_writer.hpp>
