import { expect } from "chai";
import { programVersion } from "../settings/program-version.ts";
import { defaultMesh } from "./default-mesh.ts";

describe("defaultMesh", () => {
	it("has the proxy of this version", () => {
		expect(defaultMesh().injection.proxyImage).to.equal(
			`lateen-proxy:${programVersion}`,
		);
	});
});
