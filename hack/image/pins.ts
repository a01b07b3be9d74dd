/**
 * What the images are made of that is not ours: exact versions, and the
 * SHA-256 of what is fetched, so that the same commit gives the same images
 * wherever it is built.
 *
 * Everything is for linux/amd64. To move a Debian package on, write its new
 * version and the checksum that `apt-cache show` tells.
 */

/** A package of Debian 12. Licences as Debian's copyright file has them, in SPDX's notation. */
export interface DebianPin {
	readonly name: string;
	readonly version: string;
	/** Of the .deb file. */
	readonly sha256: string;
	readonly licence: string;
	/** The package whose folder in /usr/share/doc has the copyright file, if it is not its own. */
	readonly copyrightIn?: string;
}

/** A program that is one file. */
export interface ProgramPin {
	readonly name: string;
	readonly version: string;
	/** Of the file as it is fetched. */
	readonly sha256: string;
	readonly licence: string;
	readonly supplier: string;
	/** The package URL by which scanners know it. */
	readonly purl: string;
}

/** What the images run on; the architecture's name in OCI. */
export const architecture = "amd64";

/** Where Debian keeps the libraries of this architecture. */
export const libraryFolder = "usr/lib/x86_64-linux-gnu";

/** Node.js, which runs the controller. */
export const nodePin: ProgramPin = {
	name: "node",
	version: "24.21.0",
	sha256: "7fde7b8afa198da66257f42ee2001d874c7355631e6d1579a5fb5ef1f246df4c",
	licence: "MIT",
	supplier: "Organization: OpenJS Foundation",
	purl: "pkg:github/nodejs/node@v24.21.0",
};

/** Envoy, which is the proxy. */
export const envoyPin: ProgramPin = {
	name: "envoy",
	version: "1.40.0",
	sha256: "8aa137a7d00994ce43f613556f5a120709229f63bedb86eedde5ccbc402c2b80",
	licence: "Apache-2.0",
	supplier: "Organization: The Envoy Project",
	purl: "pkg:github/envoyproxy/envoy@v1.40.0",
};

const IPTABLES = "GPL-2.0-only AND GPL-2.0-or-later";
const GCC_RUNTIME = "GPL-3.0-or-later WITH GCC-exception-3.1";

/** Every Debian package of any image. */
export const debianPins = [
	{
		name: "ca-certificates",
		version: "20250419~deb12u2",
		sha256: "b9f76b5271a7ac373fd5e7e1b5b826a71ddd702b42a0d104955ecb1acfffc94b",
		licence: "MPL-2.0 AND GPL-2.0-or-later",
	},
	{
		name: "libc6",
		version: "2.36-9+deb12u14",
		sha256: "ba4f88f73dbc3ae9055f3c20f4523bfdbaf1ad13ff95e258924f77d20b4fbedf",
		licence: "LGPL-2.1-or-later AND GPL-2.0-or-later",
	},
	{
		name: "gcc-12-base",
		version: "12.2.0-14+deb12u1",
		sha256: "1896a2aacf4ad681ff5eacc24a5b0ca4d5d9c9b9c9e4b6de5197bc1e116ea619",
		licence: GCC_RUNTIME,
	},
	{
		name: "libgcc-s1",
		version: "12.2.0-14+deb12u1",
		sha256: "3016e62cb4b7cd8038822870601f5ed131befe942774d0f745622cc77d8a88f7",
		licence: GCC_RUNTIME,
		copyrightIn: "gcc-12-base",
	},
	{
		name: "libstdc++6",
		version: "12.2.0-14+deb12u1",
		sha256: "5cd3171216d4ab0fc911cfe9c35509bf2dd8f47761c43b7f6a4296701551a24d",
		licence: GCC_RUNTIME,
		copyrightIn: "gcc-12-base",
	},
	{
		name: "busybox",
		version: "1:1.35.0-4+deb12u1+b1",
		sha256: "4b355fad07d4fe1f5aa282e949281f8dcb7bcdebb023d7e40f4f8fe475e21e29",
		licence: "GPL-2.0-only",
	},
	{
		name: "iptables",
		version: "1.8.9-2",
		sha256: "2928d3ca6ca8a3dc3f423f6752822b1f3614a5ba609ff7806bcba4449ffe90e1",
		licence: IPTABLES,
	},
	{
		name: "libxtables12",
		version: "1.8.9-2",
		sha256: "cb841d66950a43af4a398625313d2f3da9065299c9738538de6c2c3495857040",
		licence: IPTABLES,
	},
	{
		name: "libip4tc2",
		version: "1.8.9-2",
		sha256: "f2c48b367f9ec13f9aa577e7ccf81b371ce5d5fe22dddf9d7aa99f1e0bb7cfc4",
		licence: IPTABLES,
	},
	{
		name: "libip6tc2",
		version: "1.8.9-2",
		sha256: "be88db3dfa2fe3345ea343207f7c75345602686121e579023d021c348b9b4f4d",
		licence: IPTABLES,
	},
	{
		name: "libmnl0",
		version: "1.0.4-3",
		sha256: "4581f42e3373cb72f9ea4e88163b17873afca614a6c6f54637e95aa75983ea7c",
		licence: "LGPL-2.1-or-later",
	},
	{
		name: "libnftnl11",
		version: "1.2.4-2",
		sha256: "9e619e1470a1915264e906020f3bfc046fd8458043b1342686d997b5078213af",
		licence: "GPL-2.0-or-later",
	},
] as const satisfies readonly DebianPin[];

/** The names of `debianPins`. */
export type DebianName = (typeof debianPins)[number]["name"];
