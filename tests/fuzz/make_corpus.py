#!/usr/bin/env python3
"""Make the seeds under tests/fuzz/corpus/ (NumPy, and HDF5's C library through ctypes):

    python3 tests/fuzz/make_corpus.py
"""
import ctypes
import io
import json
import os
import struct
import zipfile

import numpy

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
RANDOM = numpy.random.default_rng(7)


def put(name, content):
    with open(os.path.join(FOLDER, name), "wb") as file:
        file.write(content)


def safetensors(entries):
    header, blocks, at = {}, b"", 0
    for name, dtype, shape, content in entries:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(content)]}
        blocks += content
        at += len(content)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + blocks


def network(widths):
    for k, (a, b) in enumerate(zip(widths, widths[1:])):
        yield f"{2 * k}.weight", "F32", [b, a], RANDOM.normal(size=(b, a)).astype("<f4").tobytes()
        yield f"{2 * k}.bias", "F32", [b], RANDOM.normal(size=b).astype("<f4").tobytes()


def npy(array, version):
    file = io.BytesIO()
    numpy.lib.format.write_array(file, array, version=version)
    return file.getvalue()


def npz(arrays, method):
    """What numpy.savez and savez_compressed write, without the time of day."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(name + ".npy")
            info.compress_type = method
            with archive.open(info, "w", force_zip64=True) as member:
                numpy.lib.format.write_array(member, array)
    return file.getvalue()


class Hdf5:
    """The few calls of libhdf5 that the seeds need."""

    def __init__(self):
        self.lib = ctypes.CDLL("libhdf5_serial.so.103")
        self.lib.H5open()
        for name in ("H5Fcreate", "H5Screate_simple", "H5Pcreate", "H5Dcreate2", "H5Gcreate2"):
            getattr(self.lib, name).restype = ctypes.c_int64

    def constant(self, name):
        return ctypes.c_int64.in_dll(self.lib, name)

    def write(self, path, arrays, groups=(), chunk=None, kind="H5T_IEEE_F64LE_g"):
        lib, i64 = self.lib, ctypes.c_int64
        file = i64(lib.H5Fcreate(path.encode(), ctypes.c_uint(2), i64(0), i64(0)))
        for group in groups:
            lib.H5Gclose(i64(lib.H5Gcreate2(file, group.encode(), i64(0), i64(0), i64(0))))
        for name, array in arrays.items():
            array = numpy.ascontiguousarray(array, dtype=float)
            shape = (ctypes.c_uint64 * array.ndim)(*array.shape)
            space = i64(lib.H5Screate_simple(array.ndim, shape, None))
            create = i64(lib.H5Pcreate(self.constant("H5P_CLS_DATASET_CREATE_ID_g")))
            lib.H5Pset_obj_track_times(create, ctypes.c_bool(False))
            if chunk:
                lib.H5Pset_chunk(create, array.ndim, (ctypes.c_uint64 * array.ndim)(*chunk))
                lib.H5Pset_deflate(create, ctypes.c_uint(6))
            data = i64(lib.H5Dcreate2(file, name.encode(), self.constant(kind), space, i64(0), create, i64(0)))
            lib.H5Dwrite(data, self.constant("H5T_NATIVE_DOUBLE_g"), i64(0), i64(0), i64(0),
                         array.ctypes.data_as(ctypes.c_void_p))
            lib.H5Dclose(data)
            lib.H5Pclose(create)
            lib.H5Sclose(space)
        lib.H5Fclose(file)


def main():
    put("safetensors/network.safetensors", safetensors(network([3, 4, 5, 1])))
    put("safetensors/types.safetensors", safetensors([
        ("a", "F64", [], struct.pack("<d", 1.5)), ("half", "F16", [2, 2], b"\0\x3c" * 4),
        ("brain", "BF16", [3], b"\x80\x3f" * 3), ("empty", "F32", [0, 3], b""), ("n", "I64", [1], b"\1" + b"\0" * 7)]))
    x = RANDOM.normal(size=(4, 2))
    put("npy/plain.npy", npy(x, (1, 0)))
    put("npy/fortran.npy", npy(numpy.asfortranarray(x.astype(">f4")), (2, 0)))
    put("npy/line.npy", npy(x[:, 0].astype("<f4"), (3, 0)))
    put("csv/header.csv", b"x1,x2,weight\n1,-2.5,0.25\n3e-3,4,0.75\n")
    put("csv/blanks.csv", b"# by savetxt\n 1.0e+00  -2.5\n3.0e-03\t4\n")
    put("csv/semicolons.csv", b"\xef\xbb\xbf\"x\";\"log_density\"\r\n1;-2.5\r\n\r\n3e-3; 4 \r\n")
    put("npy/whole.npy", npy(numpy.arange(-3, 5, dtype=">i4").reshape(4, 2), (1, 0)))
    put("npy/half.npy", npy(x.astype("<f2"), (1, 0)))
    put("npz/stored.npz", npz({"x": x, "weights": numpy.arange(1.0, 5.0)}, zipfile.ZIP_STORED))
    put("npz/packed.npz", npz({"points": numpy.asfortranarray(x), "log_density": x[:, 0]}, zipfile.ZIP_DEFLATED))
    put("csv/quotes.csv", b'name,"x, first",y\n"a ""b""",1,2\nc,3,4\n')
    hdf5 = Hdf5()
    at = os.path.join(FOLDER, "h5")
    hdf5.write(os.path.join(at, "plain.h5"), {"x": x, "weights": numpy.ones(4)})
    hdf5.write(os.path.join(at, "groups.h5"), {"ode/x": x, "sde/y": x[:, 0]}, ["ode", "sde"])
    hdf5.write(os.path.join(at, "chunked.h5"), {"data": RANDOM.integers(0, 9, size=(40, 3))}, chunk=(16, 3))
    hdf5.write(os.path.join(at, "single.h5"), {"x": x}, kind="H5T_IEEE_F32BE_g")


if __name__ == "__main__":
    main()
