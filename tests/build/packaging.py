#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: packaging.py <folder of the sources>
The recipes of vcpkg and Conan, weft-config.cmake.in and weft.pc.in agree with version.hpp, cmake/dependencies.cmake and
CMakeLists.txt, and vcpkg.json has the form of a manifest."""
import json
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
failures = []


def text_of(path):
    return (root / path).read_text(encoding="utf-8")


def expect(what, found, wanted):
    if found != wanted:
        failures.append(f"{what}: {found}, must be {wanted}")


def numbers(version):
    """3.4 and 3.4.0 are the same."""
    parts = [int(part) for part in version.split(".")]
    return tuple(parts + [0] * (3 - len(parts)))


version = ".".join(re.findall(r"#define WEFT_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", text_of("include/weft/version.hpp")))
expect("parts of the version", len(version.split(".")), 3)
# Those of the library begin a line; those of its own programs are within an if().
minimum = {package: numbers(least) for package, least in re.findall(
    r"^weft_dependency\((\w+) TARGET \S+ MINIMUM ([\d.]+)", text_of("cmake/dependencies.cmake"), re.MULTILINE)}
expect("number of dependencies", len(minimum) > 0, True)

# https://learn.microsoft.com/vcpkg/reference/vcpkg-json
manifest = json.loads(text_of("cmake/packaging/vcpkg.json"))
identifier = r"[a-z0-9]+(-[a-z0-9]+)*"
expect("fields of vcpkg.json", set(manifest),
       {"$schema", "name", "version", "description", "license", "dependencies"})
expect("vcpkg.json: version", manifest["version"], version)
expect("vcpkg.json: license", (manifest["license"], "MIT" in text_of("LICENSE")), ("MIT", True))
expect("vcpkg.json: order", [entry["name"] for entry in manifest["dependencies"]],
       sorted(entry["name"] for entry in manifest["dependencies"]))
for entry in [manifest, *manifest["dependencies"]]:
    expect(f"vcpkg.json: {entry['name']} is a name", re.fullmatch(identifier, entry["name"]) is not None, True)
for entry in manifest["dependencies"]:
    expect(f"vcpkg.json: fields of {entry['name']}", set(entry),
           {"name", "host"} if entry.get("host") is True else {"name", "version>="})
ports = {"Eigen3": "eigen3", "xsimd": "xsimd", "fmt": "fmt"}
expect("vcpkg.json: dependencies",
       {entry["name"]: numbers(entry["version>="]) for entry in manifest["dependencies"] if "host" not in entry},
       {ports.get(package, package): least for package, least in minimum.items()})

portfile = text_of("cmake/packaging/portfile.cmake")
options = set(re.findall(r"-D(\w+)=", portfile))
declared = set(re.findall(r"^option\((\w+)", text_of("CMakeLists.txt"), re.MULTILINE))
expect("portfile.cmake: options that CMakeLists.txt does not have", options - declared, set())
tools = {"vcpkg_cmake_configure": "vcpkg-cmake", "vcpkg_cmake_install": "vcpkg-cmake",
         "vcpkg_cmake_config_fixup": "vcpkg-cmake-config"}
expect("vcpkg.json: ports with the functions of portfile.cmake",
       {entry["name"] for entry in manifest["dependencies"] if "host" in entry},
       {tools[function] for function in re.findall(r"^(\w+)\(", portfile, re.MULTILINE) if function in tools})

recipe = text_of("cmake/packaging/conanfile.py")
compile(recipe, "conanfile.py", "exec")
references = {"Eigen3": "eigen", "xsimd": "xsimd", "fmt": "fmt"}
expect("conanfile.py: requirements",
       {name: numbers(least) for name, least in re.findall(r'self\.requires\("(\w+)/\[>=([\d.]+)', recipe)},
       {references.get(package, package): least for package, least in minimum.items()})
expect("conanfile.py: description", f'description = "{manifest["description"]}"' in recipe, True)
expect("CMakeLists.txt: description", f'DESCRIPTION "{manifest["description"]}"' in text_of("CMakeLists.txt"), True)

expect("weft-config.cmake.in: dependencies",
       set(re.findall(r"find_dependency\((\w+)", text_of("cmake/weft-config.cmake.in"))), set(minimum))

print("\n".join(failures) or f"weft {version}: the recipes agree")
sys.exit(bool(failures))
