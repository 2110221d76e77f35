"""Which nodes of a deployed graph become integrate-and-fire neurons.

An activation of b bits, ``clip(round(x ratio + offset), 0, 2^b - 1)``, is what integrate-and-fire neurons do in
T = 2^b - 1 time steps (QCFS, Bu et al. 2022, arXiv 2303.04347): a membrane that starts at the offset and half a
threshold takes in the currents of all steps, then fires at most once a step, less a threshold each time. The layers
take turns (each fires when the one before it has fired), so that no neuron fires before all of its input is there, and
the number of its spikes is the activation, not an estimate of it. What reaches the first neurons is no spikes: the
input, and products of it, are numbers. A signed signal between two products behind the first neurons becomes a pair of
neurons for each number, one of which fires for positive numbers and the other, by the same weights subtracted, for
negative ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from energy_models.errors import StudentError
from students.deploy.graph import DeployedGraph, Linear, Move, Node, Pool, Product, Requantise

LINEAR = (Product, Linear, Move)


@dataclass(frozen=True, slots=True)
class SpikingNetwork:
    """A deployed graph whose activations are spikes.

    Parameters
    ----------
    graph : DeployedGraph
    steps : mapping of str to int
        Time steps in which the neurons of a node fire, by the node's name; they are as many as its largest code.
    pairs : frozenset of str
        Names of the nodes whose results are sent by pairs of neurons.
    spiking : frozenset of str
        Names of the nodes whose results are spikes, or sums of them.
    """

    graph: DeployedGraph
    steps: dict[str, int]
    pairs: frozenset[str]
    spiking: frozenset[str]

    @property
    def latency_steps(self) -> int:
        """Time steps of one decode: the layers fire one after the other."""
        return sum(self.steps.values())

    def __repr__(self) -> str:
        layers = ", ".join(f"{name} {steps}" for name, steps in self.steps.items())
        return f"<SpikingNetwork: {self.latency_steps} time steps a decode; {layers}>"


def convert(graph: DeployedGraph) -> SpikingNetwork:
    """Return the network whose activations are spikes.

    Parameters
    ----------
    graph : DeployedGraph
        Of convolutions, linear layers, ReLU and pools.

    Raises
    ------
    StudentError
        A node of another kind, by name; a maximum of what is no single spikes; or no activation at all.
    """
    steps: dict[str, int] = {}
    spiking: set[str] = set()
    pairs: set[str] = set()
    single: set[str] = set()  # one spike a step at most
    products = [place for place, node in enumerate(graph.nodes) if isinstance(node, Product | Linear)]
    for place, node in enumerate(graph.nodes):
        fed = node.source in spiking
        if isinstance(node, Requantise):
            if products and place > products[-1]:
                continue  # the read-out's units
            lowest, highest = node.result.lowest, node.result.highest
            if fed or lowest >= 0:
                steps[node.name] = max(highest, -lowest)
                spiking.add(node.name)
                (single if lowest >= 0 else pairs).add(node.name)
            continue
        if not isinstance(node, (*LINEAR, Pool)):
            raise _refused(node, f"a {type(node).__name__.lower()}", "Convert convolutions, linear layers, ReLU, pools")
        if not fed:
            continue
        if isinstance(node, Pool) and node.kind == "max" and node.source not in single:
            raise _refused(node, "a maximum of what is no single spikes", "Put the pool behind a ReLU")
        spiking.add(node.name)
        if node.source in pairs and isinstance(node, Move):
            pairs.add(node.name)
        if node.source in single and (isinstance(node, Move) or (isinstance(node, Pool) and node.kind == "max")):
            single.add(node.name)
    if not steps:
        raise StudentError(
            "there is no activation to become neurons", where="convert",
            remedy="Convert a quantised student with a ReLU, such as mlp or eegnet in w4a4",
        )
    return SpikingNetwork(graph, steps, frozenset(pairs), frozenset(spiking))


def _refused(node: Node, what: str, remedy: str) -> StudentError:
    return StudentError(f"{what} has no spiking form", where=f"layer {node.name!r}", remedy=remedy)
