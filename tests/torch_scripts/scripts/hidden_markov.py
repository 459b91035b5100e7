import numpy as np
import torch

rng = np.random.default_rng(107)
logA = torch.tensor(rng.normal(size=(3, 3)), requires_grad=True)
logB = torch.tensor(rng.normal(size=(3, 4)), requires_grad=True)
obs = torch.tensor(rng.integers(0, 4, 8))


def loglik(logA, logB):
    A, B = torch.log_softmax(logA, -1), torch.log_softmax(logB, 1)
    alpha = B[:, obs[0]] - np.log(3)
    for o in obs[1:]:
        alpha = torch.logsumexp(alpha.unsqueeze(1) + A, dim=0) + B[:, o]
    return alpha.logsumexp(0)


def viterbi(logA, logB):
    A, B = torch.log_softmax(logA, -1), torch.log_softmax(logB, 1)
    score, back = B[:, obs[0]], []
    for o in obs.tolist()[1:]:
        score, idx = (score[:, None] + A).max(0)
        score = score + B[:, o]
        back.append(idx)
    state = score.argmax()
    path = [state.item()]
    for idx in back[::-1]:
        state = idx[state]
        path.append(int(state))
    return path[::-1], score.max()


l = loglik(logA, logB)
l.backward()
print(l, logA.grad, logB.grad, sep="\n")
path, best = viterbi(logA, logB)
print(path, best)
ct = torch.autograd.grad(best, logB)[0]
print(ct)
print(obs, [int(o) for o in obs[:3]])
