# SPDX-License-Identifier: MIT
# Conan 2: conan create cmake/packaging --build=missing, then requires = "weft/<version>" and find_package(weft).
# A program uses several threads if it is compiled with OpenMP (-fopenmp).
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load
from conan.tools.layout import basic_layout


class WeftConan(ConanFile):
    name = "weft"
    description = "Tensors, graphs and graph neural networks in C++20"
    license = "MIT"
    topics = ("tensor", "graph-neural-networks", "equivariant", "automatic-differentiation", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    default_options = {"fmt/*:header_only": True}
    no_copy_source = True

    @property
    def root(self):
        return os.path.join(self.recipe_folder, os.pardir, os.pardir)

    def set_version(self):
        text = load(self, os.path.join(self.root, "include", "weft", "version.hpp"))
        self.version = ".".join(re.findall(r"#define WEFT_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", text))

    def export_sources(self):
        for pattern in ("LICENSE", "include/*.hpp", "include/*.h"):
            copy(self, pattern, src=self.root, dst=self.export_sources_folder)

    def layout(self):
        basic_layout(self)

    # The versions that weft is tested with.
    def requirements(self):
        self.requires("eigen/[>=3.4 <4]", transitive_headers=True)
        self.requires("xsimd/[>=8.1 <14]", transitive_headers=True)
        self.requires("fmt/[>=9.1 <11]", transitive_headers=True)

    def validate(self):
        check_min_cppstd(self, 20)

    def package(self):
        copy(self, "LICENSE", src=self.source_folder, dst=os.path.join(self.package_folder, "licenses"))
        copy(self, "*", src=os.path.join(self.source_folder, "include"),
             dst=os.path.join(self.package_folder, "include"))

    def package_id(self):
        self.info.clear()

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "weft")
        self.cpp_info.set_property("cmake_target_name", "weft::weft")
        self.cpp_info.set_property("pkg_config_name", "weft")
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
